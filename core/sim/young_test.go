package sim_test

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// How soon a member is known: to all others, and all others to it.

func youngScenarios() []scenario {
	return []scenario{
		{name: "young", about: "nodes that know nobody start at once: all know each other within 5 s", nodes: 100, big: 1000, raced: 40, seeds: 1, run: checkYoung},
		{name: "young-lossy", about: "the same where a tenth of all packets is lost", nodes: 60, big: 500, raced: 20, run: checkYoungLossy},
		{name: "young-deaf", about: "the same where no broadcast arrives anywhere: comparisons do it alone", nodes: 60, big: 200, raced: 20, run: checkYoungDeaf},
		{name: "joiner", about: "nodes join a quiet cluster: within 2 s all know them, and they know all", nodes: 100, big: 1000, raced: 30, seeds: 1, run: checkJoiners},
	}
}

func checkYoung(t *testing.T, r round)      { risen(t, r, 5*time.Second, calm) }
func checkYoungLossy(t *testing.T, r round) { risen(t, r, 5*time.Second, rough) }
func checkYoungDeaf(t *testing.T, r round)  { risen(t, r, 10*time.Second, deaf) }

// deaf makes nodes that no broadcast reaches.
func deaf(c *sim.Config[word]) {
	boot := c.New
	c.New = func(b sim.Boot) sim.Node[word] {
		n := boot(b).(*whole)
		n.loses = func(w *word) bool { return w.pt != nil }
		return n
	}
}

// risen starts all nodes at the same moment; they join through the first.
func risen(t *testing.T, r round, limit overlay.Time, change func(*sim.Config[word])) {
	w := newWard(r)
	w.prepare(r, nil, change)
	w.StartAll()
	for p := overlay.Peer(2); int(p) <= r.nodes; p++ {
		w.Command(p, overlay.Command{Op: overlay.OpJoin, Peer: 1})
	}
	took := w.until(time.Minute, w.whole)
	sum := w.Totals()
	t.Logf("%d nodes know each other after %v, %.0f bytes each", r.nodes, took, float64(sum.Sum().Bytes)/float64(r.nodes))
	if took > limit {
		t.Errorf("%d nodes know each other after %v, want %v", r.nodes, took, limit)
	}
	checked(t, w.World)
}

func checkJoiners(t *testing.T, r round) {
	const joiners = 3
	w := newWard(r)
	w.admit(r, nil, func(c *sim.Config[word]) { c.Nodes = r.nodes + joiners })
	for i := range joiners {
		before := w.Totals()
		p := overlay.Peer(r.nodes + 1 + i)
		w.Start(p)
		w.join(p)
		took := w.until(time.Minute, w.whole)
		after := w.Totals()
		spent := after.Minus(&before)
		t.Logf("after %v it and %d others know each other, %d bytes", took, r.nodes+i, spent.Sum().Bytes)
		if took > 2*time.Second {
			t.Errorf("a joiner of %d nodes and they know each other after %v, want 2 s", r.nodes, took)
		}
		w.RunFor(5 * time.Second)
	}
	checked(t, w.World)
}
