package membershiphyparview

import (
	"log/slog"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// FuzzFrames: whatever a member sends, to this node or to everybody, the machines stay
// whole.
func FuzzFrames(f *testing.F) {
	mallory, bob := someone("mallory", 1), someone("bob", 1)
	body, sig := bob.record(0, false)
	f.Add([]byte{}, announce(bob, 0, false, body, sig))
	f.Add(hyparview.Encode(nil, &hyparview.Message{Kind: hyparview.Join}, nil), obituary(mallory, mallory, 0, bob))
	f.Add(append([]byte{frameRecord}, append(body, sig...)...), []byte("L\x01\x0b"))
	f.Add([]byte("O10.0.0.1:9"), liveness.Append(nil, &liveness.Message{Kind: liveness.Compare, Sums: make([]uint64, 32)}, one{bob}))
	f.Fuzz(func(t *testing.T, frame, said []byte) {
		m := newMind(bareHost(t, someone("self", 1), defaults()))
		m.begin()
		m.settle()
		m.input(&membership.Input{Kind: membership.LinkUp, Peer: mallory.peer()})
		own, ownSig := mallory.record(0, false)
		for _, data := range [][]byte{append([]byte{frameRecord}, append(own, ownSig...)...), frame, said} {
			m.input(&membership.Input{Kind: membership.Frame, Peer: mallory.peer(), Data: data})
			m.settle()
		}
		m.input(&membership.Input{Kind: membership.Broadcast, Data: said})
		m.settle()
		if err := m.hv.Check(); err != nil {
			t.Error(err)
		}
		if err := m.lv.Check(); err != nil {
			t.Error(err)
		}
	})
}

// bareHost is a host that is not started, at an empty desk.
func bareHost(t *testing.T, who actor, s *Settings) *host {
	t.Helper()
	env := plugin.Env{Node: who.node, Cluster: "test", Incarnation: who.inc, Log: slog.New(slog.DiscardHandler)}
	p, err := build(membership.Env{
		Env: env, Network: &desk{t: t, sent: map[name.Node][][]byte{}}, Emit: func(membership.Event) {},
		Signer: who, Vet: func(name.Node, trust.Key) error { return nil },
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*host)
}
