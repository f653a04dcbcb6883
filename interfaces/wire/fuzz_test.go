package wire

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/registryv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Whatever a registry tells, what is shown keeps to the contract.
func FuzzRegistryTells(f *testing.F) {
	entry := &registryv1.Entry{
		Service: "s", Ref: &registryv1.Ref{Node: "b@h", Incarnation: 1, Id: 1}, Meta: []*registryv1.Pair{{Key: []byte("k"), Value: []byte("v")}},
	}
	seed, err := proto.Marshal(&registryv1.WatchResponse{Told: 3, Events: []*registryv1.Event{
		{Type: "registered", Entry: entry}, {Type: "updated", Entry: entry}, {Type: "down", Entry: entry, Reason: "gone"},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &registryv1.WatchResponse{}
		if proto.Unmarshal(data, in) != nil {
			return
		}
		shown := NewShown(registry.Env{Env: plugin.Env{Node: name.MustNode("a@h")}, Emit: func(e registry.Event) {
			if e.Entry.Service.IsZero() || e.Entry.Ref.IsZero() || e.Entry.Meta == nil || boundMeta(e.Entry.Meta) != nil {
				t.Errorf("event %+v", e)
			}
		}})
		half := &Registry{shown: shown}
		if err := shown.adopt(half); err != nil {
			t.Fatal(err)
		}
		_ = half.hear(in) // what it says of nonsense is its business
		shown.lost(half)
		if shown.Sweep("over"); shown.Stale() != 0 || len(shown.List("")) != 0 {
			t.Errorf("%d are left", len(shown.List("")))
		}
	})
}
