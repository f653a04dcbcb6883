package plumtree

// source is what was seen of one origin.
type source struct {
	origin  uint64
	touched bool // since the hand came by
	uses    uint64
	windows []window
}

// seen remembers which messages came, for a bounded number of origins; one that was
// silent for long gives way to a new one.
type seen struct {
	most    int
	index   map[uint64]int32
	sources []source
	hand    int
}

func newSeen(most int) seen { return seen{most: most, index: map[uint64]int32{}} }

func (s *seen) has(id ID) bool {
	at, ok := s.index[id.Origin]
	if !ok {
		return false
	}
	w := s.sources[at].window(id)
	return w != nil && w.has(id.Seq)
}

// add notes a message and reports whether it is new.
func (s *seen) add(id ID) bool {
	src := s.source(id.Origin)
	src.touched = true
	w := src.window(id)
	if w == nil {
		w = src.begin(id)
	}
	src.uses++
	w.used = src.uses
	if w.has(id.Seq) {
		return false
	}
	w.add(id.Seq)
	return true
}

// source finds the memory of an origin, or makes room for it.
func (s *seen) source(origin uint64) *source {
	if at, ok := s.index[origin]; ok {
		return &s.sources[at]
	}
	if len(s.sources) < s.most {
		s.index[origin] = int32(len(s.sources))
		s.sources = append(s.sources, source{origin: origin})
		return &s.sources[len(s.sources)-1]
	}
	for s.sources[s.hand].touched {
		s.sources[s.hand].touched = false
		s.hand = (s.hand + 1) % len(s.sources)
	}
	src := &s.sources[s.hand]
	delete(s.index, src.origin)
	s.index[origin] = int32(s.hand)
	*src = source{origin: origin}
	s.hand = (s.hand + 1) % len(s.sources)
	return src
}

func (src *source) window(id ID) *window {
	for i := range src.windows {
		if w := &src.windows[i]; w.covers(id.Life, id.Seq) {
			return w
		}
	}
	return nil
}

// begin opens a window around a number that is in none, half of it before the number.
func (src *source) begin(id ID) *window {
	base := uint64(0)
	if id.Seq > span/2 {
		base = id.Seq - span/2
	}
	fresh := window{life: id.Life, base: base, low: base}
	if id.Seq <= span/2 {
		fresh.low = 1 // numbers count from 1
	}
	if len(src.windows) < maxWindows {
		src.windows = append(src.windows, fresh)
		return &src.windows[len(src.windows)-1]
	}
	oldest := &src.windows[0]
	for i := range src.windows {
		if w := &src.windows[i]; w.used < oldest.used {
			oldest = w
		}
	}
	*oldest = fresh
	return oldest
}
