package admin

import (
	"encoding/json"
	"fmt"
)

// The methods of this file keep two promises of the documents whatever a Go value
// holds: a list or map is never null, and a time is in UTC.

// MarshalJSON writes the document.
func (s Status) MarshalJSON() ([]byte, error) {
	type plain Status
	s.Started, s.Warnings, s.Slots.Discovery = s.Started.UTC(), list(s.Warnings), list(s.Slots.Discovery)
	return json.Marshal(plain(s))
}

// MarshalJSON writes the document.
func (v View) MarshalJSON() ([]byte, error) {
	type plain View
	return json.Marshal(plain{Active: list(v.Active), Passive: list(v.Passive)})
}

// MarshalJSON writes the document.
func (m Member) MarshalJSON() ([]byte, error) {
	type plain Member
	m.Since = m.Since.UTC()
	return json.Marshal(plain(m))
}

// MarshalJSON writes the document.
func (i Instance) MarshalJSON() ([]byte, error) {
	type plain Instance
	i.Since = i.Since.UTC()
	if i.Meta == nil {
		i.Meta = map[string]string{}
	}
	return json.Marshal(plain(i))
}

// MarshalJSON writes the document.
func (d Discovery) MarshalJSON() ([]byte, error) {
	type plain Discovery
	d.Steps = list(d.Steps)
	return json.Marshal(plain(d))
}

// MarshalJSON writes the document.
func (a DiscoveryAnswer) MarshalJSON() ([]byte, error) {
	type plain DiscoveryAnswer
	a.Endpoints = list(a.Endpoints)
	return json.Marshal(plain(a))
}

// MarshalJSON writes the document.
func (s DiscoveryStep) MarshalJSON() ([]byte, error) {
	type plain DiscoveryStep
	s.Endpoints = list(s.Endpoints)
	return json.Marshal(plain(s))
}

// MarshalJSON writes the document.
func (p Pin) MarshalJSON() ([]byte, error) {
	type plain Pin
	p.Pinned = p.Pinned.UTC()
	return json.Marshal(plain(p))
}

// MarshalJSON puts Extra beside the fixed fields; a fixed field always wins.
func (e Event) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, 6+len(e.Extra))
	for k, v := range e.Extra {
		out[k] = extraValue(k, v)
	}
	out["time"], out["kind"], out["type"] = e.Time.UTC(), e.Kind, e.Type
	out["node"], out["name"], out["reason"] = e.Node, e.Name, e.Reason
	return json.Marshal(out)
}

// UnmarshalJSON is the reverse: what is no fixed field is kept in Extra, as text.
func (e *Event) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*e = Event{}
	fixed := map[string]any{
		"time": &e.Time, "kind": &e.Kind, "type": &e.Type, "node": &e.Node, "name": &e.Name, "reason": &e.Reason,
	}
	for key, raw := range fields {
		if into, ok := fixed[key]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return fmt.Errorf("event field %s: %w", key, err)
			}
			continue
		}
		if e.Extra == nil {
			e.Extra = map[string]string{}
		}
		e.Extra[key] = extraText(raw)
	}
	e.Time = e.Time.UTC()
	return nil
}

// extraValue is an extra field as JSON has it: counts and incarnations are numbers.
func extraValue(key, text string) any {
	if key == "incarnation" || key == "count" {
		return json.Number(text)
	}
	return text
}

func extraText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
