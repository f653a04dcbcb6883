package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// apply does what a node asked for, in the order that overlay promises.
func (w *World[M]) apply(p overlay.Peer, h *host[M]) {
	for _, r := range w.out.Persists {
		w.persist(p, h, r)
	}
	for _, t := range w.out.Timers {
		if t.At != overlay.Never {
			w.schedule(t.At-h.skew, &event[M]{kind: evTimer, to: p, inc: h.inc, timer: t.Timer})
		}
	}
	for _, to := range w.out.Dials {
		w.dial(p, to)
	}
	for i := range w.out.Sends {
		w.send(p, &w.out.Sends[i])
	}
	for _, c := range w.out.Closes {
		w.closeLink(p, c.Peer, c.Reason)
	}
	if w.out.Discover {
		w.discover(p)
	}
	for i := range w.out.Events {
		if e := &w.out.Events[i]; e.Kind == overlay.MemberUp {
			w.outlive(p, e.Peer, e.Inc)
		}
	}
	if w.cfg.Observe != nil {
		for i := range w.out.Events {
			w.cfg.Observe(w.now, p, &w.out.Events[i])
		}
	}
}

func (w *World[M]) persist(p overlay.Peer, h *host[M], r overlay.Record) {
	known := false
	for i := range h.records {
		if h.records[i].Owner == r.Owner && h.records[i].Key == r.Key {
			h.records[i], known = r, true
		}
	}
	if !known {
		h.records = append(h.records, r)
	}
	in := &overlay.Input[M]{Kind: overlay.InPersisted, Record: r}
	w.schedule(w.now, &event[M]{kind: evInput, to: p, inc: h.inc, input: in})
}

func (w *World[M]) discover(p overlay.Peer) {
	var known []overlay.Peer
	if w.cfg.Contacts != nil {
		known = w.cfg.Contacts(p)
	}
	w.later(millisecond, p, overlay.Command{Op: overlay.OpContacts, Peers: known})
}

// Command gives a node a command, now.
func (w *World[M]) Command(p overlay.Peer, c overlay.Command) { w.later(0, p, c) }

func (w *World[M]) later(d overlay.Time, p overlay.Peer, c overlay.Command) {
	in := &overlay.Input[M]{Kind: overlay.InCommand, Cmd: c}
	w.schedule(w.now+d, &event[M]{kind: evInput, to: p, inc: w.hosts[p].inc, input: in})
}

// At has the scenario do something at a moment.
func (w *World[M]) At(at overlay.Time, do func()) {
	w.schedule(at, &event[M]{kind: evCall, call: do})
}

func (w *World[M]) send(p overlay.Peer, s *overlay.Send[M]) {
	t := &w.totals[s.Class]
	t.Messages++
	t.Bytes += uint64(s.Msg.Size())
	if w.cfg.Codec != nil {
		w.fail(p, w.cfg.Codec(&s.Msg))
	}
	if int(s.To) >= len(w.hosts) || s.To == overlay.Nobody {
		return
	}
	ref, side := w.find(p, s.To)
	switch {
	case ref == 0 && s.Mode == overlay.Once:
		w.sendOnce(p, s)
	case ref == 0:
	case s.Mode == overlay.Datagram:
		w.sendDatagram(p, s, ref, 1-side)
	default:
		w.transmit(&event[M]{kind: evMsg, class: s.Class, to: s.To, from: p, inc: w.hosts[p].inc, link: ref, gen: w.links[ref].gen, side: 1 - side, msg: s.Msg})
	}
}

// sendOnce makes a link for one message and forgets it again: two round trips, half
// of which is spent when the message arrives.
func (w *World[M]) sendOnce(p overlay.Peer, s *overlay.Send[M]) {
	if !w.hosts[s.To].up || w.odd && (w.blocked(p, s.To) || w.blocked(s.To, p)) {
		return
	}
	ev := event[M]{kind: evMsg, class: s.Class, to: s.To, from: p, inc: w.hosts[p].inc, msg: s.Msg}
	d := 3*w.latency(p, s.To) + w.retransmissions(p, s.To)
	w.schedule(w.now+d, &ev)
}

func (w *World[M]) sendDatagram(p overlay.Peer, s *overlay.Send[M], ref uint32, side uint8) {
	times := 1
	if w.cfg.Duplicate > 0 && w.RNG().Float64() < w.cfg.Duplicate {
		times = 2
	}
	for range times {
		loss := w.loss(p, s.To)
		if loss > 0 && w.RNG().Float64() < loss {
			continue
		}
		d := w.latency(p, s.To)
		if w.cfg.Reorder > 0 && w.RNG().Float64() < w.cfg.Reorder {
			d += overlay.Time(w.RNG().Int64N(int64(9*d) + 1))
		}
		ev := event[M]{kind: evMsg, class: s.Class, to: s.To, from: p, inc: w.hosts[p].inc, link: ref, gen: w.links[ref].gen, side: side, msg: s.Msg}
		w.schedule(w.now+d, &ev)
	}
}

func (w *World[M]) latency(a, b overlay.Peer) overlay.Time { return w.cfg.Latency(a, b, w.RNG()) }

// retransmissions is how much later a packet of a stream arrives because of loss.
func (w *World[M]) retransmissions(a, b overlay.Peer) overlay.Time {
	loss, late := w.loss(a, b), overlay.Time(0)
	if loss == 0 {
		return 0
	}
	for wait, n := 3*w.latency(a, b), 0; n < 8 && w.RNG().Float64() < loss; n++ {
		late, wait = late+wait, 2*wait
	}
	return late
}
