package ownerlog

import "fmt"

// Snapshot is all of one log: its head, and the live entries sorted by key.
type Snapshot struct {
	Head  Head // State is what the entries say, not what was sent
	Items []Item
}

// Reader puts together what comes as a stream of records: batches and snapshots, cut into
// chunks anywhere. The zero Reader is ready; it is for one stream.
type Reader struct {
	// MaxItems and MaxBytes bound one snapshot; a larger one is passed over.
	MaxItems, MaxBytes int

	rest  []byte
	snap  *Snapshot
	want  int
	count int
	bytes int
	over  *digester // of a snapshot that is passed over
}

// Record is something whole that came out of a stream: exactly one is there.
type Record struct {
	Batch    *Batch
	Snapshot *Snapshot
	Excess   *Excess
}

// Add takes the next chunk and calls see for each record that is complete. The error
// wraps ErrFrame; the stream is of no use after it.
func (s *Reader) Add(chunk []byte, see func(Record)) error {
	s.rest = append(s.rest, chunk...)
	for len(s.rest) > 0 {
		r := reader{rest: s.rest}
		rec, err := s.next(&r)
		switch {
		case r.bad && r.short && len(s.rest) <= maxWire:
			return nil
		case err != nil || r.bad:
			return fmt.Errorf("%w: record of at least %d bytes does not parse", ErrFrame, len(s.rest))
		}
		s.rest = r.rest
		if rec != (Record{}) {
			see(rec)
		}
	}
	s.rest = nil
	return nil
}

// Whole reports whether nothing has begun that is not complete.
func (s *Reader) Whole() bool { return len(s.rest) == 0 && s.snap == nil }

func (s *Reader) next(r *reader) (Record, error) {
	switch kind := r.kind(); {
	case kind == recordEntry && s.snap != nil:
		return s.entry(r)
	case s.snap != nil:
		return Record{}, ErrFrame
	case kind == recordBatch:
		return Record{Batch: r.batch()}, nil
	case kind == recordHead:
		return s.begin(r)
	}
	return Record{}, ErrFrame
}

func (s *Reader) begin(r *reader) (Record, error) {
	h := r.head()
	h.Ops = r.digest()
	copy(h.Sig[:], r.take(uint64(len(h.Sig))))
	n := r.number()
	if r.bad {
		return Record{}, nil
	}
	if n > excessItems || h.Seq == 0 {
		return Record{}, ErrFrame
	}
	s.snap, s.want, s.count, s.bytes = &Snapshot{Head: h}, int(n), 0, 0
	if s.over = nil; s.want > s.MaxItems {
		s.passOver()
	}
	return s.full(), nil
}

// passOver keeps nothing more of a snapshot but its digest.
func (s *Reader) passOver() {
	s.over = newDigester(s.want)
	s.over.add(s.snap.Items...)
	s.snap.Items = nil
}

func (s *Reader) entry(r *reader) (Record, error) {
	item := Item{Key: r.key(), Val: r.text(MaxVal)}
	if r.bad {
		return Record{}, nil
	}
	s.count++
	if s.bytes += len(item.Key) + len(item.Val); s.bytes > excessBytes {
		return Record{}, ErrFrame
	}
	if s.bytes > s.MaxBytes && s.over == nil {
		s.passOver()
	}
	if s.over != nil {
		s.over.add(item)
	} else {
		s.snap.Items = append(s.snap.Items, item)
	}
	return s.full(), nil
}

func (s *Reader) full() Record {
	if s.count < s.want {
		return Record{}
	}
	done, over := s.snap, s.over
	s.snap, s.over = nil, nil
	if over == nil {
		return Record{Snapshot: done}
	}
	done.Head.State = over.sum()
	return Record{Excess: &Excess{Head: done.Head, Count: s.count, Bytes: s.bytes}}
}
