package wire

import (
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/proto/registryv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

func refToWire(ref name.Ref) *registryv1.Ref {
	return &registryv1.Ref{Node: ref.Node.String(), Incarnation: ref.Incarnation, Id: ref.ID}
}

// refFromWire reads a reference; one to nobody is one.
func refFromWire(in *registryv1.Ref) (ref name.Ref, err error) {
	if err := ref.Node.UnmarshalText([]byte(in.GetNode())); err != nil {
		return ref, malformed("%s", text(err.Error()))
	}
	ref.Incarnation, ref.ID = in.GetIncarnation(), in.GetId()
	return ref, nil
}

func entryToWire(e registry.Entry) *registryv1.Entry {
	out := &registryv1.Entry{Service: e.Service.String(), Ref: refToWire(e.Ref), Since: timeToWire(e.Since)}
	for key, value := range e.Meta {
		out.Meta = append(out.Meta, &registryv1.Pair{Key: []byte(key), Value: []byte(value)})
	}
	return out
}

func entryFromWire(in *registryv1.Entry) (e registry.Entry, err error) {
	var service name.Service
	if err := service.UnmarshalText([]byte(in.GetService())); err != nil {
		return e, malformed("%s", text(err.Error()))
	}
	ref, err := refFromWire(in.GetRef())
	if err != nil {
		return e, err
	}
	if len(in.GetMeta()) > registry.MaxPairs {
		return e, malformed("%d pairs of metadata, at most %d", len(in.GetMeta()), registry.MaxPairs)
	}
	meta := make(map[string]string, len(in.GetMeta()))
	for _, pair := range in.GetMeta() {
		meta[string(pair.GetKey())] = string(pair.GetValue())
	}
	return registry.Entry{Service: service, Ref: ref, Meta: meta, Since: timeFromWire(in.GetSince())}, nil
}

func serviceEventFromWire(in *registryv1.Event) (registry.Event, error) {
	e := registry.Event{Type: registry.EventType(in.GetType()), Reason: text(in.GetReason())}
	switch e.Type {
	case registry.Registered, registry.Updated, registry.Unregistered, registry.EntryDown:
	default:
		return e, malformed("an event %q", text(in.GetType()))
	}
	entry, err := entryFromWire(in.GetEntry())
	if err == nil && (entry.Service.IsZero() || entry.Ref.IsZero()) {
		err = malformed("an entry without a service or an owner")
	}
	if sizeErr := boundMeta(entry.Meta); err == nil && sizeErr != nil {
		err = malformed("metadata of %s", sizeErr)
	}
	e.Entry = entry
	return e, err
}
