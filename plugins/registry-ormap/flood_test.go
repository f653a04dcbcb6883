package registryormap

import (
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// A neighbour that has sent more than was read is compared with anew, and heard again.
func TestANeighbourThatWasTooFastIsHeardAgain(t *testing.T) {
	env := registry.Env{Env: plugintest.Env(t, "self@127.0.0.1"), Network: alone{}, Signer: alone{}, Emit: func(registry.Event) {}}
	o := create(t, env, defaults()).(*ormap)
	fast := name.MustNode("fast@127.0.0.1")
	o.box.Open() // and nobody reads
	o.Input(registry.Input{Kind: registry.PeerUp, Node: fast})
	for range 10 {
		o.Input(registry.Input{Kind: registry.Frame, Node: fast, Data: make([]byte, 200<<10)})
	}
	var kinds []membership.InputKind
	var p inbox.Parcel[membership.Event]
	for ok := true; ok; p, ok = o.box.Take() {
		if p.Input != nil {
			kinds = append(kinds, p.Input.Kind)
		}
		if p != (inbox.Parcel[membership.Event]{}) {
			o.take(p)
		}
	}
	up, down, frame := membership.LinkUp, membership.LinkDown, membership.Frame
	if want := []membership.InputKind{up, frame, frame, frame, frame, frame, down, up}; !slices.Equal(kinds, want) {
		t.Errorf("taken %v, want %v", kinds, want)
	}
	o.Input(registry.Input{Kind: registry.Frame, Node: fast, Data: []byte("x")})
	if p, ok := o.box.Take(); !ok || p.Input == nil || string(p.Input.Data) != "x" {
		t.Errorf("the next frame is not heard: %+v", p)
	}
}
