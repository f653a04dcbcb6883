package ownerlog

import (
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Receive takes a batch that somebody sent. It may be late, early, repeated or forged.
func (s *Store) Receive(now overlay.Time, b *Batch) {
	h := &b.Head
	known := s.logs[h.Owner.String()]
	switch {
	case known == s.own:
		s.ownHead(h, func() bool { return s.believe(h) })
		return
	case known != nil && known.passed(h), h.Seq == 0:
		s.stats.Stale++
		return
	case known != nil && known.oversize && h.Inc == known.head.Inc:
		s.stats.Oversize++
		return
	case !s.believe(h):
		return
	}
	l := s.open(now, h.Owner)
	if l == nil {
		s.stats.Oversize++
		return
	}
	s.begin(l, h.Inc)
	s.take(now, l, b)
	s.drain(now, l)
	s.recount(l)
}

// passed reports whether a head says nothing new.
func (l *log) passed(h *Head) bool {
	if h.Inc != l.head.Inc {
		return h.Inc < l.head.Inc
	}
	return h.Seq < l.head.Seq || h.Seq == l.head.Seq && h.State == l.head.State && !l.freed && !l.forked
}

// believe asks whose signature it is.
func (s *Store) believe(h *Head) bool {
	switch s.cfg.Verify(h.Owner, h.Message(), &h.Sig) {
	case Good:
		return true
	case Bad:
		s.stats.Forged++
	default:
		s.stats.Strange++
	}
	return false
}

// begin makes room for a new incarnation: what the former one said is over.
func (s *Store) begin(l *log, inc uint64) {
	if inc <= l.head.Inc {
		return
	}
	s.hide(l, "restarted")
	l.forget()
	l.head = Head{Owner: l.head.Owner, Inc: inc}
	l.forked, l.oversize, l.freed = false, false, false
	s.recount(l)
}

// take applies a batch, or keeps it until it can be.
func (s *Store) take(now overlay.Time, l *log, b *Batch) {
	switch {
	case l.freed || l.forked:
		s.want(l)
	case b.Head.Seq == l.head.Seq: // signed twice for one number: the greater digest wins
		s.stats.Forked++
		if b.Head.Compare(&l.head) > 0 {
			s.fork(now, l)
		}
	case b.Head.Seq > l.head.Seq+1:
		s.stats.Early++
		s.gap(now, l)
		l.hold(b)
	default:
		s.apply(now, l, b)
	}
}

func (s *Store) apply(now overlay.Time, l *log, b *Batch) {
	fits, cost := true, 0
	undone := l.attempt(b.Ops, func() bool {
		cost = l.cost()
		fits = l.live.count <= s.cfg.MaxItems && l.live.bytes <= s.cfg.MaxBytes
		return fits && l.live.digest() == b.Head.State
	})
	switch {
	case undone != nil:
		s.stats.Applied++
		b.Head.Owner = l.head.Owner // one text for all
		l.head = b.Head
		l.keep(b)
		l.settle()
		s.tell(l, b, undone)
	case !fits:
		s.stats.Oversize++
		l.exceed(now, b.Head.Seq, cost)
	default:
		s.stats.Forked++
		s.fork(now, l)
	}
}

// fork: what is here is not what the owner signed. A snapshot will put it right.
func (s *Store) fork(now overlay.Time, l *log) {
	if !l.forked {
		l.forked = true
		s.gap(now, l)
		s.want(l)
	}
}

// gap notes since when something is missing in a log. Of one whose owner is not alive
// nothing is missed before it is.
func (s *Store) gap(now overlay.Time, l *log) {
	if l.gapSince != overlay.Never || l.alive == 0 {
		return
	}
	l.gapSince = now
	if !l.queued {
		l.queued = true
		s.gaps = append(s.gaps, l)
	}
}

// drain applies held batches that have become due.
func (s *Store) drain(now overlay.Time, l *log) {
	for len(l.held) > 0 && l.held[0].Head.Seq == l.head.Seq+1 && !l.forked && !l.oversize {
		b := l.held[0]
		before := l.head.Seq
		s.apply(now, l, b)
		if l.head.Seq == before {
			return
		}
	}
	l.settle()
}

// Take takes a record that came out of a stream.
func (s *Store) Take(now overlay.Time, r Record) {
	switch {
	case r.Batch != nil:
		s.Receive(now, r.Batch)
	case r.Snapshot != nil:
		s.Merge(now, r.Snapshot)
	default:
		s.Exceed(now, r.Excess)
	}
}

// Merge takes a snapshot that somebody sent. It replaces what is known if it is later.
func (s *Store) Merge(now overlay.Time, snap *Snapshot) {
	h := &snap.Head
	known := s.logs[h.Owner.String()]
	if known != nil && known != s.own && h.Inc < known.head.Inc {
		s.stats.Stale++
		return
	}
	if len(snap.Items) > s.cfg.MaxItems || !sortedKeys(snap.Items) {
		s.stats.Forged++
		return
	}
	live := restore(snap.Items)
	h.State = live.digest()
	if !s.supersedes(known, h) {
		return
	}
	l := s.open(now, h.Owner)
	if l == nil || live.bytes > s.cfg.MaxBytes {
		s.stats.Oversize++
		return
	}
	s.begin(l, h.Inc)
	s.replace(now, l, h, live)
}

// supersedes reports whether a snapshot with that head is later than what is known and
// signed. One of this node's own log never is: it says that somebody else writes it.
func (s *Store) supersedes(known *log, h *Head) bool {
	switch {
	case known == s.own:
		s.ownHead(h, func() bool { return s.believe(h) })
		return false
	case known != nil && !known.replaces(h):
		s.stats.Stale++
		return false
	}
	return s.believe(h)
}

// replaces reports whether a snapshot with that head is better than what is here.
func (l *log) replaces(h *Head) bool {
	if l.freed || l.forked || l.oversize {
		return h.Inc > l.head.Inc || h.Inc == l.head.Inc && h.Seq >= l.head.Seq
	}
	return h.Compare(&l.head) > 0
}

func (s *Store) replace(now overlay.Time, l *log, h *Head, live set) {
	s.stats.Snapshots++
	old := l.live
	l.live = live
	shown := l.visible()
	l.head = *h
	l.kept, l.keptBytes = nil, 0
	l.freed, l.forked, l.oversize = false, false, false
	if l.visible() {
		if !shown {
			old = set{}
		}
		s.tellDifference(l, &old, l.reasons(h.Seq))
	}
	l.settle()
	s.drain(now, l)
	s.recount(l)
}

// ownHead looks at what others say of this node: with a later incarnation it is a clone
// of it, with the same key. It is counted, and the host tells people. To begin a still later
// life instead would have the two outbid each other for ever: an incarnation is stored
// before it is used, so a node cannot meet a later one of its own unless it was copied.
func (s *Store) ownHead(h *Head, believed func() bool) {
	if (h.Inc > s.cfg.Inc || h.Inc == s.cfg.Inc && h.Seq > s.own.head.Seq) && believed() {
		s.stats.Clones++
		return
	}
	s.stats.Stale++
}
