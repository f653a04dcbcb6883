package plumtree

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// announced notes what a neighbour has and this node lacks.
func (m *Machine) announced(from overlay.Peer, l *link, msg *Message) {
	m.stats.IHavesIn++
	for _, a := range msg.List[:min(len(msg.List), maxList)] {
		if !m.seen.has(a.ID) {
			m.miss(from, l, a)
		}
	}
}

func (m *Machine) miss(from overlay.Peer, l *link, a Announce) {
	w := m.missing.get(a.ID)
	if w == nil {
		if l == nil || l.opened >= m.cfg.MaxMissing {
			m.stats.Shed++ // a stranger, or one who promises too much
			return
		}
		l.opened++
		w = m.missing.open(a.ID, from, m.now, m.now+m.cfg.GraftAfter)
	}
	w.announce(from, a.Round, m.cfg.MaxAnnouncer)
}

// forgetMissing ends the search for a message.
func (m *Machine) forgetMissing(id ID) {
	w := m.missing.close(id)
	if w == nil {
		return
	}
	if l := m.find(w.opener); l != nil && l.opened > 0 {
		l.opened--
	}
}

// order is what is asked of one neighbour.
type order struct {
	link *link
	list []Announce
}

// chase asks for what was announced and did not come: each of the announcers in turn,
// and again, more and more patiently.
func (m *Machine) chase() {
	var orders []order
	for m.missing.next() <= m.now {
		w := m.missing.pop()
		a, l := m.nextAnnouncer(w)
		if l == nil || m.now-w.since > m.cfg.MissingAge {
			m.stats.Missed++
			m.forgetMissing(w.id)
			continue
		}
		a.tries++
		m.missing.push(w, m.now+m.cfg.GraftNext<<min(a.tries-1, 6))
		orders = place(orders, l, Announce{w.id, a.round})
	}
	for _, o := range orders {
		if !o.link.slow {
			m.turn(o.link, true)
		}
		m.send(o.link, Message{Kind: Graft, List: o.list})
	}
}

// place adds a message to the last order of a neighbour that has room.
func place(orders []order, l *link, a Announce) []order {
	for i := range orders {
		if orders[i].link == l && len(orders[i].list) < maxList {
			orders[i].list = append(orders[i].list, a)
			return orders
		}
	}
	return append(orders, order{l, []Announce{a}})
}

// nextAnnouncer picks the one asked least often, the first of equals; those who are no
// neighbours any more are forgotten.
func (m *Machine) nextAnnouncer(w *want) (*announcer, *link) {
	w.announcers = slices.DeleteFunc(w.announcers, func(a announcer) bool { return m.find(a.peer) == nil })
	if len(w.announcers) == 0 {
		return nil, nil
	}
	best := &w.announcers[0]
	for i := range w.announcers {
		if w.announcers[i].tries < best.tries {
			best = &w.announcers[i]
		}
	}
	return best, m.find(best.peer)
}

// grafted answers a neighbour that asks: with the payloads, or that they are gone.
func (m *Machine) grafted(from overlay.Peer, l *link, msg *Message) {
	m.stats.GraftsIn++
	if l == nil {
		l = &link{peer: from, version: msg.Version, eager: msg.Eager} // it gets what it asked for, and no more
	}
	var gone []Announce
	for _, a := range msg.List[:min(len(msg.List), maxList)] {
		if e := m.cache.get(a.ID); e != nil {
			m.send(l, Message{Kind: Gossip, ID: a.ID, Round: e.round + 1, Key: e.key, Data: e.data})
		} else {
			gone = append(gone, a)
		}
	}
	if len(gone) > 0 {
		m.send(l, Message{Kind: Gone, List: gone})
	}
}

// gone: an announcer does not have it any more; the next one is asked at once.
func (m *Machine) gone(from overlay.Peer, msg *Message) {
	m.stats.GonesIn++
	for _, a := range msg.List[:min(len(msg.List), maxList)] {
		if w := m.missing.get(a.ID); w != nil && w.drop(from) {
			m.missing.push(w, m.now)
		}
	}
}
