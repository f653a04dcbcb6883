package ownerlog

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Up says that an owner is alive at an incarnation. It reports whether something may be
// missing here: nothing of that incarnation is known.
func (s *Store) Up(now overlay.Time, owner name.Node, inc uint64) (missing bool) {
	l := s.open(now, owner)
	if l == nil && s.makeRoom() {
		l = s.open(now, owner)
	}
	if l == nil {
		s.stats.LeftOut++
		return false
	}
	if l == s.own || inc < l.alive {
		return false
	}
	shown := l.visible()
	if shown && l.alive != inc {
		s.hide(l, "restarted")
	}
	l.alive, l.goneAt = inc, overlay.Never
	if len(l.held) > 0 || l.forked {
		s.gap(now, l)
	}
	if !shown && l.visible() {
		s.tellAll(l, Added, "")
	}
	s.recount(l)
	return l.head.Seq == 0 || l.freed || l.head.Inc < inc
}

// Gone says that an owner is dead or has left at that incarnation.
func (s *Store) Gone(now overlay.Time, owner name.Node, inc uint64, why string) {
	l := s.logs[owner.String()]
	if l == nil || l == s.own || l.alive == 0 || l.alive > inc {
		return
	}
	s.hide(l, why)
	l.alive, l.goneAt, l.gapSince = 0, now, overlay.Never
	s.recount(l)
}

// hide tells that nothing of a log is visible any more; the caller sees to it.
func (s *Store) hide(l *log, why string) {
	if l.visible() {
		s.tellAll(l, Hidden, why)
	}
}

func (s *Store) tellAll(l *log, kind ChangeKind, why string) {
	for _, item := range l.live.all() {
		s.change(l, Change{Kind: kind, Key: item.Key, Val: item.Val, Reason: why})
	}
}

func (s *Store) change(l *log, c Change) {
	c.Owner, c.Inc = l.head.Owner, l.head.Inc
	s.changes = append(s.changes, c)
}

// UnknownReason is that of a removal of which only the outcome came: the batch that told
// more is not kept any more by whoever was asked.
const UnknownReason = "unknown"

// tellDifference tells what became of the visible entries when all were replaced.
// reasons are those that are known of removals.
func (s *Store) tellDifference(l *log, old *set, reasons map[string]string) {
	for _, item := range old.all() {
		if _, still := l.live.get(item.Key); !still {
			reason, known := reasons[item.Key]
			if !known {
				reason = UnknownReason
			}
			s.change(l, Change{Kind: Removed, Key: item.Key, Val: item.Val, Reason: reason})
		}
	}
	for _, item := range l.live.all() {
		switch before, had := old.get(item.Key); {
		case !had:
			s.change(l, Change{Kind: Added, Key: item.Key, Val: item.Val})
		case before != item.Val:
			s.change(l, Change{Kind: Updated, Key: item.Key, Val: item.Val, Old: before})
		}
	}
}

// Due returns the owners of which a batch has been missing for too long.
func (s *Store) Due(now overlay.Time) (owners []string) {
	left := s.gaps[:0]
	for _, l := range s.gaps {
		if l.queued = l.gapSince != overlay.Never; !l.queued {
			continue
		}
		left = append(left, l)
		if now-l.gapSince >= s.cfg.GapAfter || len(l.held) >= heldMost {
			l.gapSince = now
			owners = append(owners, l.key)
		}
	}
	clear(s.gaps[len(left):])
	s.gaps = left
	return owners
}

// Gaps reports whether Due is worth asking.
func (s *Store) Gaps() bool { return len(s.gaps) > 0 }

// Sweep frees what the dead have left; it looks at a part of all logs at each call, at
// all within 256 calls.
func (s *Store) Sweep(now overlay.Time) {
	b := s.sweep % len(s.buckets)
	s.sweep++
	left := s.buckets[b][:0]
	for _, l := range s.buckets[b] {
		if !s.expire(now, l) {
			left = append(left, l)
		}
	}
	clear(s.buckets[b][len(left):])
	s.buckets[b] = left
}

// makeRoom drops what is known of an owner that is not alive, for one that is: the one
// that has been gone for the longest of those in the next bucket that has any.
func (s *Store) makeRoom() bool {
	for i := range s.buckets {
		b := &s.buckets[(s.sweep+i)%len(s.buckets)]
		longest := -1
		for j, l := range *b {
			if l != s.own && l.alive == 0 && (longest < 0 || l.goneAt < (*b)[longest].goneAt) {
				longest = j
			}
		}
		if longest >= 0 {
			s.drop((*b)[longest])
			*b = slices.Delete(*b, longest, longest+1)
			return true
		}
	}
	return false
}

// drop forgets a log; the caller takes it out of its bucket.
func (s *Store) drop(l *log) {
	delete(s.logs, l.key)
	l.forget() // a list may still have it
}

// expire frees a log whose owner is gone; it reports whether nothing is left of it.
func (s *Store) expire(now overlay.Time, l *log) bool {
	if l.alive != 0 || l == s.own {
		return false
	}
	if gone := now - l.goneAt; gone >= s.cfg.Watermark || gone >= s.cfg.Quarantine && l.head.Seq == 0 {
		s.drop(l)
		return true
	} else if gone >= s.cfg.Quarantine && !l.freed {
		s.stats.Freed++
		l.forget()
		l.freed = true
	}
	return false
}
