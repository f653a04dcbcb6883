package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

func (l *layer) parseJSON(text []byte) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		l.jsonTrouble(text, err)
		return
	}
	if !l.shallow(all) {
		return
	}
	r := &jsonReader{layer: l, lines: newLines(text), dec: json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	v := r.value("")
	if m, ok := v.(map[string]any); ok {
		l.values = m
	} else if v != nil {
		l.notSections(l.at(1, 1))
	}
}

func (l *layer) jsonTrouble(text []byte, err error) {
	var e *json.SyntaxError
	if !errors.As(err, &e) {
		l.add(l.origin, "", "no JSON: "+err.Error(), "")
		return
	}
	l.add(l.at(newLines(text).position(int(e.Offset)-1)), "", "no JSON: "+e.Error(), "look for a missing or extra comma, quote or bracket; JSON has no comments")
}

// jsonReader reads text that is known to be JSON, token by token, and remembers the
// place of each key and item.
type jsonReader struct {
	*layer
	lines lines
	dec   *json.Decoder
}

// next is a token and where it starts.
func (r *jsonReader) next() (json.Token, Origin) {
	place := r.peek()
	token, err := r.dec.Token()
	if err != nil {
		r.add(place, "", "no JSON: "+err.Error(), "")
	}
	return token, place
}

func (r *jsonReader) value(path string) any {
	token, _ := r.next()
	switch token {
	case json.Delim('{'):
		return r.object(path)
	case json.Delim('['):
		return r.array(path)
	}
	return token
}

func (r *jsonReader) object(path string) any {
	m, seen := map[string]any{}, map[string]int{}
	for r.dec.More() {
		token, place := r.next()
		key, ok := token.(string)
		if !ok {
			return m // reported by next
		}
		below := settings.Join(path, key)
		if line := seen[key]; line > 0 {
			r.add(place, path, fmt.Sprintf("duplicate key %q, first in line %d", key, line), "keep one of the two")
			below = path
		} else if r.goodKey(place, path, key) {
			r.origins[below] = place
		}
		v := r.value(below)
		if seen[key] == 0 {
			seen[key] = place.Line
			m[key] = v
			r.markSection(below, v)
		}
	}
	r.next()
	return m
}

func (r *jsonReader) markSection(path string, v any) {
	if _, ok := v.(map[string]any); ok {
		o := r.origins[path]
		o.section = true
		r.origins[path] = o
	}
}

func (r *jsonReader) array(path string) any {
	items := []any{}
	for r.dec.More() {
		below := settings.Index(path, len(items))
		r.origins[below] = r.peek()
		items = append(items, r.value(below))
	}
	r.next()
	return items
}

// peek is where the next token starts.
func (r *jsonReader) peek() Origin {
	rest := r.lines.text[r.dec.InputOffset():]
	left := len(bytes.TrimLeft(rest, " \t\r\n,:"))
	return r.at(r.lines.position(len(r.lines.text) - left))
}
