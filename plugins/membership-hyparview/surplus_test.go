package membershiphyparview

import (
	"testing"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// newTestMind is a mind without a loop.
func newTestMind(t *testing.T, base string, s *Settings) *mind {
	t.Helper()
	return newMind(bareHost(t, someone(base, 1), s))
}

// asPeer is how others know the node of a mind by their links to it.
func (m *mind) asPeer() membership.Peer {
	return membership.Peer{Node: m.env.Node, Key: m.env.Signer.Public(), Incarnation: m.env.Incarnation}
}

// hear gives a mind a frame of another, and returns what it does.
func (m *mind) hear(from *mind, frame []byte) []act {
	m.input(&membership.Input{Kind: membership.Frame, Peer: from.asPeer(), Data: frame})
	return m.settle()
}

// meet makes a link between a mind and another that knows nobody, which introduces itself.
func (m *mind) meet(other *mind) {
	m.input(&membership.Input{Kind: membership.LinkUp, Peer: other.asPeer()})
	other.input(&membership.Input{Kind: membership.LinkUp, Peer: m.asPeer()})
	for _, a := range other.settle() {
		if a.kind == actSend && first(a.data) == frameRecord {
			m.hear(other, a.data)
		}
	}
}

func (m *mind) wants(frame *hyparview.Message) []byte {
	return hyparview.Encode(nil, frame, viewBook{m.book})
}

// A neighbour that made room for another, and becomes one again before its link is
// closed, is heard as any other.
func TestANeighbourComesBackOverTheSameLink(t *testing.T) {
	s := defaults()
	s.ActiveSize, s.PassiveSize = 1, 1
	a := newTestMind(t, "a", s)
	b, c := newTestMind(t, "b", defaults()), newTestMind(t, "c", defaults())
	a.meet(b)
	a.meet(c)
	for _, joiner := range []*mind{b, c, b} {
		a.hear(joiner, joiner.wants(&hyparview.Message{Kind: hyparview.Join}))
		if near := a.neighbours(); len(near) != 1 || near[0] != joiner.env.Node {
			t.Fatalf("neighbours after the join of %s: %v", joiner.env.Node, near)
		}
		a.now += 2 * defaults().ShufflePeriod // the next may force its way in again
	}
	question := liveness.Append(nil, &liveness.Message{Kind: liveness.Compare, Sums: make([]uint64, 32)}, lifeBook{b.book})
	for _, done := range a.hear(b, question) {
		if done.kind == actSend && done.node == b.env.Node {
			return
		}
	}
	t.Error("what the neighbour asked was not answered")
}
