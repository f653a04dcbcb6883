package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// want is a word of a member that a neighbour was asked for and has not proved yet.
type want struct {
	inc   uint64
	ref   uint32
	left  bool
	from  overlay.Peer // who was asked
	other overlay.Peer // who offered the same, and was not asked for that reason; Nobody: none did
	at    overlay.Time
}

// idOf is the number of whom an entry is about.
func (m *Machine) idOf(e *Entry) uint64 {
	if e.Peer != overlay.Nobody {
		return m.cfg.ID(e.Peer)
	}
	return e.ID
}

// mayAsk notes that a neighbour is asked for a record, unless another is being asked, or
// this one has enough to do: then it is compared with again. One that lately did not prove what it
// offered may be asked, but is in nobody's way.
func (m *Machine) mayAsk(l *link, e *Entry) bool {
	id, left := m.idOf(e), e.State == Left
	if l.deaf <= m.now {
		if w := m.wanting(id, e.Inc, e.Ref, left); w != nil {
			m.offered(w, l.peer)
			return false
		}
	}
	if l.wanted >= maxWanted {
		l.again = min(l.again, m.now)
		return false
	}
	l.wanted++
	if l.deaf <= m.now {
		m.wants[id] = append(m.wants[id], want{inc: e.Inc, ref: e.Ref, left: left, from: l.peer, other: overlay.Nobody, at: m.now})
	}
	return true
}

// wanting is what is being asked for; nil if it is not.
func (m *Machine) wanting(id, inc uint64, ref uint32, left bool) *want {
	list := m.wants[id]
	for i := range list {
		if w := &list[i]; w.inc == inc && w.ref == ref && w.left == left {
			return w
		}
	}
	return nil
}

// offered notes one of those who could have been asked, by chance.
func (m *Machine) offered(w *want, p overlay.Peer) {
	if p != w.from && (w.other == overlay.Nobody || m.rng.IntN(2) == 0) {
		w.other = p
	}
}

// granted: a member proved itself, or is refused for good. Words of it that are no later need no
// asking.
func (m *Machine) granted(e *Entry) {
	id := m.idOf(e)
	list := slices.DeleteFunc(m.wants[id], func(w want) bool {
		return e.Refused || w.inc < e.Inc || w.inc == e.Inc && w.ref <= e.Ref
	})
	if len(list) == 0 {
		delete(m.wants, id)
	} else {
		m.wants[id] = list
	}
}

// askAnew: what was asked for and has not come by now may be asked of others. Who did not answer is
// in their way no more for a while, and who else had it is compared with.
func (m *Machine) askAnew() {
	for id, list := range m.wants { // order: each only marks links, with the same moments
		list = slices.DeleteFunc(list, m.inVain)
		if len(list) == 0 {
			delete(m.wants, id)
		} else {
			m.wants[id] = list
		}
	}
	for i := range m.links {
		m.links[i].wanted = 0
	}
}

// inVain ends a want that was not granted in time. It may be called in any order.
func (m *Machine) inVain(w want) bool {
	if m.now-w.at < m.cfg.Tick/2 {
		return false
	}
	if l := m.link(w.from); l != nil {
		l.deaf = m.now + deafPause
	}
	if l := m.link(w.other); l != nil {
		l.again = min(l.again, m.now)
	}
	return true
}
