package fullmesh

import (
	"fmt"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// TestConverges lets chance crash, stop, restart, cut off and send away nodes, then
// stops doing so: everybody must see everybody alive. The event order and the
// machine's own invariants are checked after every step on the way.
func TestConverges(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.quiet, w.odd = true, seed%2 == 1
			for i := range 2 + int(seed%9) {
				w.start(string(rune('a' + i)))
			}
			for range 40 {
				w.havoc()
				w.run(time.Duration(w.rng.Int64N(int64(4 * time.Second))))
				w.bootstrap()
			}
			w.cuts = nil
			for _, h := range w.nodes {
				w.revive(h)
			}
			for range 20 {
				w.run(6 * time.Second)
				w.bootstrap()
			}
			w.whole()
		})
	}
}

func (w *world) any() *host { return w.nodes[w.rng.IntN(len(w.nodes))] }

func (w *world) havoc() {
	a, b := w.any(), w.any()
	switch w.rng.IntN(9) {
	case 0:
		w.kill(a, transport.CloseSilent, silence)
	case 1:
		w.kill(a, transport.CloseStopping, latency)
	case 2, 3:
		w.revive(a)
	case 4:
		w.cut(a, b)
	case 5:
		w.cuts = nil
	case 6:
		if l := w.link(a, b); l != nil && !l.cut {
			codes := []transport.CloseCode{0, 1, 3, 4, 5, 6, 7, 8, 9} // all but leaving, which nobody says by chance
			w.sever(l, codes[w.rng.IntN(len(codes))], latency)
		}
	case 7:
		a.step(Leave(1))
	case 8:
		a.step(Join(2, b.name))
	}
}

// revive brings a node back that died or left.
func (w *world) revive(h *host) {
	if !h.up {
		w.start(h.name.Base())
	}
	for h.m.HasLeft() {
		h.step(Join(3, w.any().name))
	}
}

// bootstrap does what a node's bootstrap does: who is alone, or misses a contact, joins
// through it. Without the second, islands whose nodes have all restarted would never
// hear of each other.
func (w *world) bootstrap() {
	for _, h := range w.nodes {
		contact := w.nodes[w.rng.IntN(min(2, len(w.nodes)))]
		alone := len(h.m.View().Active) == 0
		missed := h.m.find(contact.name) == nil && w.rng.IntN(4) == 0
		if h.up && !h.m.HasLeft() && (alone || missed) {
			h.step(Join(4, contact.name))
		}
	}
}

// whole expects that every node sees every other alive, and has said so.
func (w *world) whole() {
	for _, h := range w.nodes {
		for _, far := range w.nodes {
			if far == h {
				continue
			}
			r, last := h.m.find(far.name), h.told[far.name]
			if r == nil || !r.link.joined || r.inc != far.inc {
				w.t.Errorf("%s has %s/%d as %+v", h.name.Base(), far.name.Base(), far.inc, r)
			} else if last.Type != membership.MemberUp || last.Incarnation != far.inc {
				w.t.Errorf("%s told %s/%d of %s/%d last", h.name.Base(), last.Type, last.Incarnation, far.name.Base(), far.inc)
			}
		}
	}
}

// TestSameSeedSameTrace: equal inputs give equal effects.
func TestSameSeedSameTrace(t *testing.T) {
	play := func() string {
		w := newWorld(t, 7)
		for _, base := range []string{"a", "b", "c", "d", "e"} {
			w.start(base)
		}
		for range 30 {
			w.havoc()
			w.run(time.Second)
			w.bootstrap()
		}
		return w.trace.String()
	}
	if a, b := play(), play(); a != b {
		t.Errorf("two runs of one seed differ at line %d", differs(a, b))
	}
}

// TestManyThroughOneSeed: all join one seed at once, and the mesh is whole in a second.
func TestManyThroughOneSeed(t *testing.T) {
	w := newWorld(t, 3)
	w.quiet = true
	seed := w.start("aa")
	for i := range 24 {
		w.start("n" + string(rune('a'+i))).step(Join(1, seed.name))
	}
	w.run(3 * time.Second)
	w.whole()
}
