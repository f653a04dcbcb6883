package plugintest

import (
	"errors"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// trustHearsay: what a third party says is not believed against a pin, nor where the
// plugin would not decide for it by itself, and nothing is pinned for it.
func trustHearsay(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	vetter, ok := able[trust.Vetter](b.plugin, wire.AbilityVet)
	if !ok {
		return
	}
	vet := func(node string, key trust.Key) error {
		return vetter.Vet(trust.Claim{Node: name.MustNode(node), Key: key, Cluster: "test"})
	}
	b.pins.Put(name.MustNode("a@10.0.0.1"), testKey(1), "operator")
	b.accepted("hearsay of a pinned key", vet("a@10.0.0.1", testKey(1)))
	b.refused("hearsay against a pin", vet("a@10.0.0.1", testKey(2)), trust.ErrKeyMismatch)
	if err := vet("b@10.0.0.1", testKey(3)); !h.AcceptsUnknown {
		b.refused("hearsay of an unknown key", err, trust.ErrUntrusted)
	}
	b.pinned("b@10.0.0.1", trust.Key{})
	b.pins.FailReads(errors.New("input/output error"))
	b.undecided("hearsay, store unreadable", vet("a@10.0.0.1", testKey(1)))
}
