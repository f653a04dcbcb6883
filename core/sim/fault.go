package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Start begins the next life of a node.
func (w *World[M]) Start(p overlay.Peer) {
	h := &w.hosts[p]
	if h.up {
		return
	}
	h.inc++
	h.up, h.stalled = true, false
	if h.links == nil {
		h.links = h.ports[:0]
	}
	h.chance.begin(*rand.NewPCG(w.cfg.Seed, uint64(p)<<32|h.inc))
	h.node = w.cfg.New(Boot{Self: p, Inc: h.inc, Now: w.now + h.skew, RNG: &h.chance.rand, Records: slices.Clone(h.records)})
}

// StartAll starts every node.
func (w *World[M]) StartAll() {
	for p := 1; p < len(w.hosts); p++ {
		w.Start(overlay.Peer(p))
	}
}

// Kill ends a node without a word: its neighbours hear nothing any more.
func (w *World[M]) Kill(p overlay.Peer) {
	h := &w.hosts[p]
	if !h.up {
		return
	}
	w.bury(h)
	for _, l := range slices.Clone(h.links) {
		gen := w.links[l.ref()].gen
		w.drop(l.ref(), l.side())
		if w.links[l.ref()].gen == gen {
			w.listen(l.ref())
		}
	}
}

// Stop ends a node that closes its links first.
func (w *World[M]) Stop(p overlay.Peer) {
	h := &w.hosts[p]
	if !h.up {
		return
	}
	for _, l := range slices.Clone(h.links) {
		w.closeLink(p, l.peer, overlay.Stopping)
	}
	w.bury(h)
}

func (w *World[M]) bury(h *host[M]) {
	h.up, h.stalled, h.node = false, false, nil
	for _, r := range h.held {
		w.take(r)
	}
	h.held = nil
}

// Restart kills a node if it runs and starts it again. Who still has a link to its
// former life is told within a second, as a stateless reset does it.
func (w *World[M]) Restart(p overlay.Peer) {
	w.Kill(p)
	w.Start(p)
	for ref := 1; ref < len(w.links); ref++ {
		l := &w.links[ref]
		for side := range uint8(2) {
			e, o := &l.ends[side], &l.ends[1-side]
			if e.up && !o.up && o.peer == p && w.cfg.Idle != overlay.Never {
				at := w.now + overlay.Time(w.RNG().Int64N(int64(second)))
				w.schedule(at, &event[M]{kind: evLinkDown, to: e.peer, from: p, link: uint32(ref), gen: l.gen, side: side, reason: overlay.Lost})
			}
		}
	}
}

// Stall freezes a node for a time: what comes in waits.
func (w *World[M]) Stall(p overlay.Peer, d overlay.Time) {
	h := &w.hosts[p]
	if !h.up || h.stalled {
		return
	}
	h.stalled = true
	w.listenAll(p)
	w.schedule(w.now+d, &event[M]{kind: evResume, to: p, inc: h.inc})
}

func (w *World[M]) resume(p overlay.Peer, inc uint64) {
	h := &w.hosts[p]
	if !h.stalled || h.inc != inc {
		return
	}
	h.stalled = false
	held := h.held
	h.held = nil
	w.listenAll(p)
	for _, r := range held {
		w.happen(r)
	}
}

// Skew sets the clock of a node off by that much. Call it before Start or Restart: in a
// running node the clock jumps, which the monotonic clocks that machines are given never
// do.
func (w *World[M]) Skew(p overlay.Peer, by overlay.Time) { w.hosts[p].skew = by }

// Cut lets nothing through from one node to another, in this direction.
func (w *World[M]) Cut(from, to overlay.Peer) {
	w.odd = true
	w.cuts[[2]overlay.Peer{from, to}] = true
	w.listenBoth(from, to)
}

// Mend takes a Cut back.
func (w *World[M]) Mend(from, to overlay.Peer) {
	delete(w.cuts, [2]overlay.Peer{from, to})
	w.listenBoth(from, to)
}

// Partition splits the world: nodes of different groups do not hear each other.
func (w *World[M]) Partition(group func(overlay.Peer) uint32) {
	w.odd = true
	for p := 1; p < len(w.hosts); p++ {
		w.hosts[p].group = group(overlay.Peer(p))
	}
	w.listenEverywhere()
}

// Heal ends partitions, cuts and losses of single nodes.
func (w *World[M]) Heal() {
	clear(w.cuts)
	for p := range w.hosts {
		h := &w.hosts[p]
		h.group, h.lossIn, h.lossOut = 0, 0, 0
	}
	w.listenEverywhere()
}

// Lose has a node lose that share of what comes in and of what goes out; 1 is all.
func (w *World[M]) Lose(p overlay.Peer, in, out float64) {
	w.odd = true
	w.hosts[p].lossIn, w.hosts[p].lossOut = in, out
	w.listenAll(p)
}

func (w *World[M]) listenBoth(a, b overlay.Peer) {
	if ref, _ := w.find(a, b); ref != 0 {
		w.listen(ref)
	} else if ref, _ := w.find(b, a); ref != 0 {
		w.listen(ref)
	}
}

func (w *World[M]) listenAll(p overlay.Peer) {
	for _, l := range slices.Clone(w.hosts[p].links) {
		w.listen(l.ref())
	}
}

func (w *World[M]) listenEverywhere() {
	for ref := 1; ref < len(w.links); ref++ {
		if l := &w.links[ref]; l.ends[0].up || l.ends[1].up {
			w.listen(uint32(ref))
		}
	}
}

// blocked reports whether nothing gets from one node to another.
func (w *World[M]) blocked(from, to overlay.Peer) bool {
	if !w.odd {
		return false
	}
	a, b := &w.hosts[from], &w.hosts[to]
	return a.group != b.group || a.lossOut >= 1 || b.lossIn >= 1 || len(w.cuts) > 0 && w.cuts[[2]overlay.Peer{from, to}]
}

// loss is the share of packets that do not get from one node to another.
func (w *World[M]) loss(from, to overlay.Peer) float64 {
	if !w.odd {
		return w.cfg.Loss
	}
	if w.blocked(from, to) {
		return 1
	}
	return 1 - (1-w.cfg.Loss)*(1-w.hosts[from].lossOut)*(1-w.hosts[to].lossIn)
}
