package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// spurned remembers members whom the host does not accept, though they proved who they are: others
// do, and name them in each table.
type spurned struct {
	until map[uint64]overlay.Time
	queue []uint64 // in the order in which they came, which is that of their ends
}

// spurn notes that a member is not to be asked for, for a while; the oldest gives way if there
// are too many.
func (s *spurned) spurn(now overlay.Time, id uint64) {
	if _, known := s.until[id]; known {
		return
	}
	if s.until == nil {
		s.until = map[uint64]overlay.Time{}
	}
	s.until[id] = now + spurnPause
	s.queue = append(s.queue, id)
	if len(s.queue) > maxSpurned {
		s.shift()
	}
}

func (s *spurned) has(id uint64) bool {
	_, ok := s.until[id]
	return ok
}

// expire forgets those whose time is over: trust may accept them by now.
func (s *spurned) expire(now overlay.Time) {
	for len(s.queue) > 0 && s.until[s.queue[0]] <= now {
		s.shift()
	}
}

func (s *spurned) shift() {
	delete(s.until, s.queue[0])
	s.queue = s.queue[1:]
}
