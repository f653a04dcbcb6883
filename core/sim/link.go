package sim

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// link is a connection. Each end has its own idea of whether it is up.
type link struct {
	gen  uint32 // grows when the place is used again
	ends [2]end
}

type end struct {
	peer   overlay.Peer
	inc    uint64
	up     bool
	beats  bool         // an evBeat is under way
	silent overlay.Time // since when nothing comes in; Never: it does
	last   overlay.Time // when the last of what was sent to this end arrives
	held   []uint32     // what waits for the path to this end to open
}

// port is what a node knows of a link that is up at its end.
type port struct {
	peer overlay.Peer // at the other end
	end  uint32       // the link, and in the lowest bit the side of this end
}

func (p port) ref() uint32 { return p.end >> 1 }
func (p port) side() uint8 { return uint8(p.end & 1) }

// find is the link of two nodes that is up at the first, and the side of that.
func (w *World[M]) find(at, other overlay.Peer) (ref uint32, side uint8) {
	for _, p := range w.hosts[at].links {
		if p.peer == other {
			return p.ref(), p.side()
		}
	}
	return 0, 0
}

// current reports whether the link of an event is still the one it was sent over.
func (w *World[M]) current(ev *event[M]) bool {
	l := &w.links[ev.link]
	return l.gen == ev.gen && l.ends[ev.side].up
}

// dial begins to connect; the answer is a LinkUp or an evNoDial.
func (w *World[M]) dial(p, to overlay.Peer) {
	if ref, side := w.find(p, to); ref != 0 {
		w.schedule(w.now, &event[M]{kind: evLinkUp, to: p, from: to, link: ref, gen: w.links[ref].gen, side: side})
		return
	}
	ev := event[M]{kind: evDial, to: to, from: p, inc: w.hosts[p].inc}
	if int(to) >= len(w.hosts) || to == p || to == overlay.Nobody {
		w.noDial(&ev, overlay.Refused)
		return
	}
	h := &w.hosts[to]
	if !h.up || h.stalled || w.odd && (w.blocked(p, to) || w.blocked(to, p)) {
		w.noDial(&ev, overlay.Silent)
		return
	}
	w.schedule(w.now+w.latency(p, to)+w.retransmissions(p, to), &ev)
}

// noDial tells the dialer that nothing came of it.
func (w *World[M]) noDial(ev *event[M], reason overlay.Reason) {
	wait := w.cfg.Dial
	if wait == 0 {
		wait = 2 * w.latency(ev.from, ev.from)
	}
	w.schedule(w.now+wait, &event[M]{kind: evNoDial, to: ev.from, from: ev.to, inc: ev.inc, reason: reason})
}

// dialed: a dial reaches the node it is for.
func (w *World[M]) dialed(ev *event[M]) {
	a, b := ev.from, ev.to
	switch {
	case !w.hosts[b].up || w.hosts[b].stalled || w.odd && w.blocked(b, a):
		w.noDial(ev, overlay.Silent)
		return
	case !w.hosts[a].up || w.hosts[a].inc != ev.inc:
		return
	}
	back := w.now + w.latency(b, a) + w.retransmissions(b, a)
	if ref, side := w.find(b, a); ref != 0 {
		l := &w.links[ref]
		if l.ends[1-side].up && l.ends[1-side].inc == ev.inc {
			w.schedule(back, &event[M]{kind: evLinkUp, to: a, from: b, link: ref, gen: l.gen, side: 1 - side})
			return
		}
		w.lose(ref, side, overlay.Lost)
	}
	ref := w.connect(a, b, back)
	w.schedule(back, &event[M]{kind: evLinkUp, to: a, from: b, link: ref, gen: w.links[ref].gen, side: 0})
	w.in = overlay.Input[M]{Kind: overlay.InLinkUp, Peer: a, Inc: ev.inc}
	w.step(b)
}

func (w *World[M]) connect(a, b overlay.Peer, back overlay.Time) uint32 {
	ref := uint32(len(w.links))
	if n := len(w.free); n > 0 {
		ref = w.free[n-1]
		w.free = w.free[:n-1]
	} else {
		w.links = append(w.links, link{})
	}
	l := &w.links[ref]
	l.ends[0] = end{peer: a, inc: w.hosts[a].inc, up: true, silent: overlay.Never, last: back}
	l.ends[1] = end{peer: b, inc: w.hosts[b].inc, up: true, silent: overlay.Never, last: w.now}
	w.hosts[a].links = append(w.hosts[a].links, port{b, ref << 1})
	w.hosts[b].links = append(w.hosts[b].links, port{a, ref<<1 | 1})
	if w.odd {
		w.listen(ref)
	}
	return ref
}

// transmit sends over a link, to one end of it.
func (w *World[M]) transmit(ev *event[M]) {
	e := &w.links[ev.link].ends[ev.side]
	if w.odd && w.blocked(ev.from, ev.to) {
		ref := w.park(ev)
		e.held = append(e.held, ref)
		return
	}
	at := max(e.last, w.now+w.latency(ev.from, ev.to)+w.retransmissions(ev.from, ev.to))
	e.last = at
	w.schedule(at, ev)
}

// park keeps an event without a time.
func (w *World[M]) park(ev *event[M]) uint32 {
	w.events = append(w.events, *ev)
	return uint32(len(w.events) - 1)
}

// closeLink lets a link go: the other end learns it after what was sent before.
func (w *World[M]) closeLink(p, other overlay.Peer, reason overlay.Reason) {
	ref, side := w.find(p, other)
	if ref == 0 {
		return
	}
	l := &w.links[ref]
	ev := event[M]{kind: evLinkDown, to: other, from: p, link: ref, gen: l.gen, side: 1 - side, reason: reason}
	heard := l.ends[1-side].up
	if heard {
		w.transmit(&ev)
	}
	w.drop(ref, side)
}

// outlive ends a link at the end of a node that knows of a later life at the other.
func (w *World[M]) outlive(p, other overlay.Peer, inc uint64) {
	ref, side := w.find(p, other)
	if ref == 0 {
		return
	}
	if l := &w.links[ref]; l.ends[1-side].inc < inc {
		w.schedule(w.now, &event[M]{kind: evLinkDown, to: p, from: other, link: ref, gen: l.gen, side: side, reason: overlay.Restarted})
	}
}

// drop takes one end of a link down; with the second the link is gone.
func (w *World[M]) drop(ref uint32, side uint8) {
	l := &w.links[ref]
	e := &l.ends[side]
	e.up = false
	for _, r := range e.held {
		w.take(r)
	}
	e.held = nil
	h := &w.hosts[e.peer]
	h.links = slices.DeleteFunc(h.links, func(p port) bool { return p.ref() == ref })
	if !l.ends[1-side].up {
		l.gen++
		w.free = append(w.free, ref)
	}
}

// lose takes one end down and tells its node.
func (w *World[M]) lose(ref uint32, side uint8, reason overlay.Reason) {
	l := &w.links[ref]
	at, other, inc := l.ends[side].peer, l.ends[1-side].peer, l.ends[1-side].inc
	w.drop(ref, side)
	w.in = overlay.Input[M]{Kind: overlay.InLinkDown, Peer: other, Inc: inc, Reason: reason}
	w.step(at)
}

func (w *World[M]) linkEvent(ev *event[M]) {
	if !w.current(ev) {
		return
	}
	l := &w.links[ev.link]
	switch ev.kind {
	case evLinkUp:
		w.in = overlay.Input[M]{Kind: overlay.InLinkUp, Peer: ev.from, Inc: l.ends[1-ev.side].inc}
		w.step(ev.to)
	case evLinkDown:
		w.lose(ev.link, ev.side, ev.reason)
	case evSilence:
		w.silence(ev)
	case evBeat:
		w.beat(ev)
	}
}
