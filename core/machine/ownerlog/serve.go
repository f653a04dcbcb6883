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
// are here, or else all of it, after those batches that tell of removals, for their
// reasons. It is a picture of now, and does not change.
type Serving struct {
	batches []*Batch
	head    *Head // nil: none, or sent
	items   []Item
}

// Serve answers one who has applied the batches of an owner up to seq of the incarnation
// inc; nil if he is not behind. The caller seals first.
func (s *Store) Serve(owner string, inc, seq uint64) *Serving {
	l := s.logs[owner]
	if l == nil || l.head.Seq == 0 || l.freed || l.forked || l.head.Inc < inc || l.head.Inc == inc && l.head.Seq <= seq {
		return nil
	}
	known := l.head.Inc == inc && seq > 0
	if known && len(l.kept) > 0 && l.kept[0].Head.Seq <= seq+1 {
		from := int(seq + 1 - l.kept[0].Head.Seq)
		return &Serving{batches: slices.Clone(l.kept[from:])}
	}
	head := l.head
	v := &Serving{head: &head, items: l.live.all()}
	if known {
		v.batches = l.removals()
	}
	return v
}

// Append appends what comes next, until b has at least most bytes; done: that was all.
func (v *Serving) Append(b []byte, most int) (_ []byte, done bool) {
	for len(b) < most && !v.done() {
		switch {
		case len(v.batches) > 0:
			b, v.batches = AppendBatch(b, v.batches[0]), v.batches[1:]
		case v.head != nil:
			b, v.head = AppendHead(b, v.head, len(v.items)), nil
		default:
			b, v.items = AppendItem(b, &v.items[0]), v.items[1:]
		}
	}
	return b, v.done()
}

func (v *Serving) done() bool { return len(v.batches) == 0 && v.head == nil && len(v.items) == 0 }

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
