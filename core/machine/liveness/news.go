package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// learned: a member proved something of itself that this node did not know. What a
// neighbour said is passed on to the others. A broadcast passes itself on, but perhaps not yet
// over a link that is new. What was missed once is rarely the only thing: comparisons come often
// again.
func (m *Machine) learned(e *Entry, from overlay.Peer) {
	p, came := e.Peer, m.askingFor(e)
	if from != overlay.Nobody {
		m.rounds, m.compareAt = min(m.rounds, youngRounds-moreRounds), min(m.compareAt, m.now)
	}
	for i := range m.links {
		l := &m.links[i]
		delete(l.tried, came)
		l.fresh = l.fresh || l.peer != from
		heard := l.peer == from || l.peer == p || from == overlay.Nobody && m.now-l.since > settling
		if heard || len(l.news) > fewNews || slices.Contains(l.news, p) {
			continue
		}
		l.news = append(l.news, p)
		m.newsAt = min(m.newsAt, m.now+newsWait)
	}
}

// sweepNews passes on what was learned a moment ago, over a few links, from one by chance
// on; over the others in a moment.
func (m *Machine) sweepNews() {
	if m.newsAt > m.now {
		return
	}
	m.newsAt = overlay.Never
	first, told := m.firstTold(), 0
	for i := range m.links {
		l := &m.links[(first+i)%len(m.links)]
		switch {
		case len(l.news) == 0:
		case told == newsLinks:
			m.newsAt = m.now + newsWait
		default:
			m.passOn(l)
			l.news = l.news[:0]
			told++
		}
	}
}

// firstTold is a link by chance if there are so many that not all are told at once.
func (m *Machine) firstTold() int {
	if len(m.links) <= newsLinks {
		return 0
	}
	return m.rng.IntN(len(m.links))
}

// passOn tells a neighbour of a few members one by one; for more the sums are shorter.
func (m *Machine) passOn(l *link) {
	if len(l.news) > fewNews {
		m.compareWith(l)
		return
	}
	var entries []Entry
	for _, p := range l.news {
		if r := m.table.find(p); r != nil && m.provable(r) {
			entries = append(entries, r.bare(m.now))
		}
	}
	m.sayAll(l.peer, Table, entries)
}

func (m *Machine) dropNews() {
	m.newsAt = overlay.Never
	for i := range m.links {
		m.links[i].news = m.links[i].news[:0]
	}
}

// asking is a word of a member that a neighbour was asked for.
type asking struct {
	id, inc uint64
	ref     uint32
	left    bool
}

// askingFor is what to ask for when somebody says that.
func (m *Machine) askingFor(e *Entry) asking {
	a := asking{id: e.ID, inc: e.Inc, ref: e.Ref, left: e.State == Left}
	if e.Peer != overlay.Nobody {
		a.id = m.cfg.ID(e.Peer)
	}
	return a
}

// tried is a record that a neighbour was asked for and has not brought.
type tried struct {
	until overlay.Time // before that, it is not asked for it again
	pause overlay.Time
}

// mayAsk notes that a neighbour is asked for a record, unless it was asked before and did
// not bring it. If another is being asked, or this one has enough to do, it is compared with
// again: what does not come from there may then come from here.
func (m *Machine) mayAsk(l *link, e *Entry) bool {
	a := m.askingFor(e)
	switch {
	case m.now < l.tried[a].until:
		return false
	case m.wants[a] || l.wanted >= maxWanted:
		l.again = min(l.again, m.now)
		return false
	}
	l.wanted++
	m.wants[a] = true
	m.try(l, a)
	return true
}

// try notes whom a record is asked of. Others come first in the next tick, and after that the
// pause doubles: nobody blocks a record by naming it, and one that can not be accepted here
// costs little. The oldest notes give way.
func (m *Machine) try(l *link, a asking) {
	before, known := l.tried[a]
	pause := min(max(2*before.pause, m.cfg.Tick), tryPause)
	l.tried[a] = tried{until: max(m.tickAt, m.now) + pause, pause: pause}
	if known {
		return
	}
	if l.order = append(l.order, a); len(l.order) > maxTried {
		delete(l.tried, l.order[0])
		l.order = l.order[1:]
	}
}

// askAnew: what was asked for and has not come by now may be asked of others.
func (m *Machine) askAnew() {
	clear(m.wants)
	for i := range m.links {
		m.links[i].wanted = 0
	}
}
