package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// The end of a link that nobody closed is noticed by silence: an end that has heard
// nothing for Config.Idle takes its side down and says so to its node, and to nobody
// else. Each change of the network calls listen for the links it is about.

const second = 1000 * millisecond

// listen looks from both ends of a link whether the other can still be heard.
func (w *World[M]) listen(ref uint32) {
	for side := range uint8(2) {
		e, o := &w.links[ref].ends[side], &w.links[ref].ends[1-side]
		switch {
		case !e.up:
		case w.mute(o) || w.blocked(o.peer, e.peer):
			w.quiet(ref, side, w.now)
		default:
			e.silent = overlay.Never
			w.release(e)
			if w.loss(o.peer, e.peer) > 0 {
				w.startBeat(ref, side)
			}
		}
	}
}

// mute: nothing leaves that end.
func (w *World[M]) mute(e *end) bool {
	h := &w.hosts[e.peer]
	return !e.up || !h.up || h.stalled || h.inc != e.inc
}

// quiet notes that an end hears nothing since a moment.
func (w *World[M]) quiet(ref uint32, side uint8, since overlay.Time) {
	l := &w.links[ref]
	e, o := &l.ends[side], &l.ends[1-side]
	if e.silent != overlay.Never || w.cfg.Idle == overlay.Never {
		return
	}
	e.silent = since
	wait := w.cfg.Idle
	if wait == 0 {
		wait = w.latency(o.peer, e.peer)
	}
	w.schedule(since+wait, &event[M]{kind: evSilence, to: e.peer, from: o.peer, link: ref, gen: l.gen, side: side})
}

// release sends what waited for the path to open.
func (w *World[M]) release(e *end) {
	held := e.held
	e.held = nil
	for _, r := range held {
		ev := w.take(r)
		w.transmit(&ev)
	}
}

func (w *World[M]) silence(ev *event[M]) {
	e := &w.links[ev.link].ends[ev.side]
	if e.silent == overlay.Never || w.now-e.silent < w.cfg.Idle {
		return
	}
	l, gen := ev.link, ev.gen
	w.lose(l, ev.side, overlay.Silent)
	if w.links[l].gen == gen {
		w.listen(l)
	}
}

func (w *World[M]) startBeat(ref uint32, side uint8) {
	l := &w.links[ref]
	e := &l.ends[side]
	if e.beats {
		return
	}
	e.beats = true
	w.schedule(w.now+second, &event[M]{kind: evBeat, to: e.peer, from: l.ends[1-side].peer, link: ref, gen: l.gen, side: side})
}

// beat is a second on a link that loses packets: of a ping and an answer per second
// one must come through.
func (w *World[M]) beat(ev *event[M]) {
	l := &w.links[ev.link]
	e, o := &l.ends[ev.side], &l.ends[1-ev.side]
	e.beats = false
	loss := w.loss(o.peer, e.peer)
	if loss == 0 || w.mute(o) || w.blocked(o.peer, e.peer) {
		return
	}
	if w.RNG().Float64() < loss*loss {
		w.quiet(ev.link, ev.side, w.now-second)
	} else {
		e.silent = overlay.Never
	}
	w.startBeat(ev.link, ev.side)
}
