package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// learned: a member proved something of itself that this node did not know. What a
// neighbour said is passed on to the others. A broadcast passes itself on, but perhaps not yet
// over a link that is new. What was missed once is rarely the only thing: comparisons come often
// again.
func (m *Machine) learned(p, from overlay.Peer) {
	if from != overlay.Nobody {
		m.rounds, m.compareAt = min(m.rounds, youngRounds-moreRounds), min(m.compareAt, m.now)
	}
	for i := range m.links {
		l := &m.links[i]
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
