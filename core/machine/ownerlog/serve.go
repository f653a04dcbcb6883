package ownerlog

import "slices"

// Entries calls see for every visible entry.
func (s *Store) Entries(see func(owner string, inc uint64, item Item)) {
	for b := range s.buckets {
		for _, l := range s.buckets[b] {
			if !l.visible() && l != s.own {
				continue
			}
			for _, item := range l.live.all() {
				see(l.key, l.head.Inc, item)
			}
		}
	}
}

// Position is from where on this replica lacks batches of an owner: it has applied those
// up to seq of the incarnation inc. Where that is of no use, seq is 0.
func (s *Store) Position(owner string) (inc, seq uint64) {
	l := s.logs[owner]
	switch {
	case l == nil:
		return 0, 0
	case l.freed, l.forked, l.oversize:
		return l.head.Inc, 0
	}
	return l.head.Inc, l.head.Seq
}

// Serving is what one asks for who is behind in a log: the batches after his, if they
// are here, or else all of it. It is a picture of now, and does not change.
type Serving struct {
	batches []*Batch
	head    *Head
	items   []Item
	next    int
	begun   bool
}

// Serve answers one who has applied the batches of an owner up to seq of the incarnation
// inc; nil if he is not behind. The caller seals first.
func (s *Store) Serve(owner string, inc, seq uint64) *Serving {
	l := s.logs[owner]
	if l == nil || l.head.Seq == 0 || l.freed || l.forked || l.head.Inc < inc || l.head.Inc == inc && l.head.Seq <= seq {
		return nil
	}
	if l.head.Inc == inc && seq > 0 && len(l.kept) > 0 && l.kept[0].Head.Seq <= seq+1 && seq < l.head.Seq {
		from := int(seq + 1 - l.kept[0].Head.Seq)
		return &Serving{batches: slices.Clone(l.kept[from:])}
	}
	head := l.head
	return &Serving{head: &head, items: l.live.all()}
}

// Append appends what comes next, until b has at least most bytes; done: that was all.
func (v *Serving) Append(b []byte, most int) (_ []byte, done bool) {
	if v.head != nil && !v.begun {
		b = AppendHead(b, v.head, len(v.items))
	}
	v.begun = true
	for len(b) < most {
		switch {
		case v.head == nil && v.next < len(v.batches):
			b = AppendBatch(b, v.batches[v.next])
		case v.head != nil && v.next < len(v.items):
			b = AppendItem(b, &v.items[v.next])
		default:
			return b, true
		}
		v.next++
	}
	return b, v.next >= max(len(v.batches), len(v.items))
}

// Oversize lists the owners that stand still because they went beyond their bounds.
func (s *Store) Oversize() (owners []string) {
	for b := range s.buckets {
		for _, l := range s.buckets[b] {
			if l.oversize {
				owners = append(owners, l.key)
			}
		}
	}
	slices.Sort(owners)
	return owners
}

// Check reports what must never be the case.
func (s *Store) Check() error { return s.check() }
