package registryormap

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

// show brings the index up to date with the machine, then tells. The caller holds mu.
func (o *ormap) show(changes []ownerlog.Change) {
	if len(changes) == 0 {
		return
	}
	edits := make([]index.Change, 0, len(changes))
	events := make([]registry.Event, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		entry, err := o.entry(c)
		if err != nil {
			o.refused++ // malformed, or against the policy
			continue
		}
		edits = append(edits, index.Change{Entry: entry, Remove: c.Kind == ownerlog.Removed || c.Kind == ownerlog.Hidden})
		events = append(events, event(c, entry))
	}
	o.shown.Apply(edits...)
	for i := range events {
		o.env.Emit(events[i])
	}
}

func (o *ormap) entry(c *ownerlog.Change) (e registry.Entry, err error) {
	service, id, err := parseKey(c.Key)
	if err != nil {
		return e, err
	}
	e = registry.Entry{Service: service, Ref: name.Ref{Node: c.Owner, Incarnation: c.Inc, ID: id}}
	if err := o.env.Allowed(service, c.Owner); err != nil {
		return e, err
	}
	e.Since, e.Meta, err = parseValue(c.Val, o.metas)
	return e, err
}

func event(c *ownerlog.Change, e registry.Entry) registry.Event {
	switch c.Kind {
	case ownerlog.Added:
		return registry.Event{Type: registry.Registered, Entry: e}
	case ownerlog.Updated:
		return registry.Event{Type: registry.Updated, Entry: e}
	case ownerlog.Removed:
		if c.Reason == "" {
			return registry.Event{Type: registry.Unregistered, Entry: e}
		}
	}
	return registry.Event{Type: registry.EntryDown, Entry: e, Reason: c.Reason}
}

// holders lists the owners of what is visible of a service, for the machine's searches.
func (o *ormap) holders(subject string) (owners []name.Node) {
	service, err := name.ParseService(subject)
	if err != nil {
		return nil
	}
	for _, e := range o.shown.Lookup(service) {
		if !slices.Contains(owners, e.Ref.Node) {
			owners = append(owners, e.Ref.Node)
		}
	}
	return owners
}
