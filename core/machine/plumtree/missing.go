package plumtree

import (
	"container/heap"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// want is a message that was announced and has not come.
type want struct {
	id         ID
	opener     overlay.Peer // who announced it first
	since      overlay.Time
	at         overlay.Time // when to ask next
	order      uint64       // among equals at the same time
	index      int          // in the heap
	announcers []announcer
}

// announcer is a peer that says it has the message.
type announcer struct {
	peer  overlay.Peer
	round uint32
	tries int
}

func (w *want) announce(p overlay.Peer, round uint32, most int) {
	for i := range w.announcers {
		if w.announcers[i].peer == p {
			w.announcers[i].round = min(w.announcers[i].round, round)
			return
		}
	}
	if len(w.announcers) < most {
		w.announcers = append(w.announcers, announcer{peer: p, round: round})
	}
}

// drop forgets an announcer, and reports whether it was one.
func (w *want) drop(p overlay.Peer) bool {
	before := len(w.announcers)
	w.announcers = slices.DeleteFunc(w.announcers, func(a announcer) bool { return a.peer == p })
	return len(w.announcers) < before
}

// missing is all that was announced and has not come, by name and by time.
type missing struct {
	byID  map[ID]*want
	queue agenda
	count uint64
	room  room
}

func newMissing() missing { return missing{byID: map[ID]*want{}} }

func (s *missing) get(id ID) *want {
	if len(s.byID) == 0 {
		return nil
	}
	return s.byID[id]
}

func (s *missing) open(id ID, opener overlay.Peer, now, at overlay.Time) *want {
	w := &want{id: id, opener: opener, since: now, index: -1}
	s.byID[id] = w
	s.room.grow(len(s.byID))
	s.push(w, at)
	return w
}

// close takes a message off; nil if it is not there.
func (s *missing) close(id ID) *want {
	w := s.get(id)
	if w == nil {
		return nil
	}
	delete(s.byID, id)
	if w.index >= 0 {
		heap.Remove(&s.queue, w.index)
	}
	if s.room.spare(len(s.byID)) {
		s.queue, s.byID = slices.Clone(s.queue), moved(s.byID)
	}
	return w
}

// next is when something is to be asked for.
func (s *missing) next() overlay.Time {
	if len(s.queue) == 0 {
		return overlay.Never
	}
	return s.queue[0].at
}

func (s *missing) pop() *want {
	w, _ := heap.Pop(&s.queue).(*want)
	return w
}

// push puts a message at its time, also one that stood at another.
func (s *missing) push(w *want, at overlay.Time) {
	s.count++
	w.at, w.order = at, s.count
	if w.index >= 0 {
		heap.Fix(&s.queue, w.index)
		return
	}
	heap.Push(&s.queue, w)
}

// hurry asks others at once for what was asked of a peer that is gone.
func (s *missing) hurry(p overlay.Peer, now overlay.Time) {
	var asked []*want
	for _, w := range s.queue {
		if slices.ContainsFunc(w.announcers, func(a announcer) bool { return a.peer == p && a.tries > 0 }) {
			asked = append(asked, w)
		}
	}
	slices.SortFunc(asked, (*want).compare)
	for _, w := range asked {
		w.drop(p)
		s.push(w, now)
	}
}

func (s *missing) openedBy(p overlay.Peer) int {
	n := 0
	for _, w := range s.queue {
		if w.opener == p {
			n++
		}
	}
	return n
}

// agenda is a heap of messages by the time at which to ask.
type agenda []*want

func (w *want) compare(o *want) int {
	switch {
	case w.at < o.at || w.at == o.at && w.order < o.order:
		return -1
	case w == o:
		return 0
	}
	return 1
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].compare(a[j]) < 0 }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push is for container/heap.
func (a *agenda) Push(x any) {
	if w, ok := x.(*want); ok {
		w.index = len(*a)
		*a = append(*a, w)
	}
}

// Pop is for container/heap.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	w := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	w.index = -1
	return w
}
