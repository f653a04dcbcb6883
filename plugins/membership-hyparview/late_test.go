package membershiphyparview

import (
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// wire is a peer's view of numbers: they are handles.
type wire struct{ liveness.Names }

func (wire) ID(p overlay.Peer) uint64    { return uint64(p) }
func (wire) Peer(id uint64) overlay.Peer { return overlay.Peer(id) }

// A neighbour's table names members that this node has never heard of by their numbers;
// it is asked for their records by the same numbers.
func TestStrangersInATableAreAskedFor(t *testing.T) {
	m := newMind(stoppedHost(t, &place{}))
	m.begin()
	other := newSigner(2)
	r := member.Record{Node: name.MustNode("b@h"), Key: other.Public(), Cluster: "c", Incarnation: 3}
	peer := membership.Peer{Node: r.Node, Key: r.Key, Incarnation: r.Incarnation}
	body := r.Encode()
	m.linkUp(peer)
	m.input(&membership.Input{Kind: membership.Frame, Peer: peer, Data: append([]byte{frameRecord}, member.Seal(body, other.Sign(body))...)})
	m.settle()

	table := liveness.Message{Kind: liveness.Table, Entries: []liveness.Entry{{Peer: 4711, State: liveness.Alive, Inc: 1}}}
	m.input(&membership.Input{Kind: membership.Frame, Peer: peer, Data: liveness.Append(nil, &table, wire{})})
	acts := m.settle()
	if !slices.ContainsFunc(acts, func(a act) bool {
		msg, err := liveness.Decode(a.data, wire{})
		return a.kind == actSend && a.node == peer.Node && err == nil && msg.Kind == liveness.Want && msg.Entries[0].Peer == 4711
	}) {
		t.Errorf("the stranger was not asked for: %+v", acts)
	}
}
