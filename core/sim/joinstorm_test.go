package sim_test

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// caller is a member whose dials are counted.
type caller struct {
	*hyparview.Machine
	dials *int
}

func (c caller) Step(now overlay.Time, in *overlay.Input[hyparview.Message], out *overlay.Effects[hyparview.Message]) {
	before := len(out.Dials)
	c.Machine.Step(now, in, out)
	*c.dials += len(out.Dials) - before
}

// storm is what it took that everybody came at once.
type storm struct {
	dials    float64      // of a node
	whole    overlay.Time // after the last start; all in one component
	free     float64      // places of a node, ten seconds later
	isolated float64      // times that a node lost all neighbours
	failed   int          // joins
}

// stormed has nodes join through the first, one after so long a pause, where a packet takes up to that long.
func (s setup) stormed(pause, packet time.Duration) (got storm) {
	dials := 0
	w := s.world(func(c *sim.Config[hyparview.Message]) {
		c.Latency = sim.Uniform(10*time.Millisecond, packet)
		c.Contacts = func(overlay.Peer) []overlay.Peer { return []overlay.Peer{1} }
		c.New = func(b sim.Boot) sim.Node[hyparview.Message] {
			return caller{hyparview.New(b.Self, b.Inc, s.hv, b.RNG), &dials}
		}
		c.Observe = func(_ overlay.Time, _ overlay.Peer, e *overlay.Event) {
			switch e.Kind {
			case overlay.Isolated:
				got.isolated += 1 / float64(s.nodes)
			case overlay.JoinFailed:
				got.failed++
			}
		}
	})
	for p := overlay.Peer(1); int(p) <= s.nodes; p++ {
		w.Start(p)
		if p > 1 {
			join(w, p, 1)
			w.RunFor(pause)
		}
	}
	last := w.Now()
	for len(w.Graph().Components()) > 1 && w.Now()-last < time.Minute {
		w.RunFor(100 * time.Millisecond)
	}
	got.whole = w.Now() - last
	w.RunFor(10 * time.Second)
	for degree, n := range w.Graph().Degrees() {
		got.free += float64((s.hv.Active-degree)*n) / float64(s.nodes)
	}
	got.dials = float64(dials) / float64(s.nodes)
	return got
}

// HPV-13. What one contact can take is less than comes to it, so it turns out those that have
// just come. Published, they look for neighbours where there is no room, and so does whoever they
// turn out; with Handover and Greedy all find those that have room.
func checkJoinStorm(t *testing.T, r round) {
	now := barrel(r.nodes, r.seed)
	now.hv = hyparview.Default()
	published := now
	published.hv.Handover, published.hv.Greedy = false, false
	for _, c := range []struct{ pause, packet, whole time.Duration }{
		{20 * time.Millisecond, 150 * time.Millisecond, 2 * time.Second}, // a machine that is busy with them all
		{0, 600 * time.Millisecond, 5 * time.Second},                     // all at once, from far away
	} {
		got, without := now.stormed(c.pause, c.packet), published.stormed(c.pause, c.packet)
		t.Logf("%+v, without handing over %+v", got, without)
		if got.whole > c.whole || got.free > 0.5 || got.failed > 0 {
			t.Errorf("HPV-13: %+v", got)
		}
		if got.dials > 0.9*without.dials {
			t.Errorf("HPV-13: %.2f dials of a node, without handing over %.2f", got.dials, without.dials)
		}
	}
}
