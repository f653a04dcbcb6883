package replica

import (
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// finds is the searches that are under way, for this node and for others.
type finds struct {
	open []*search
}

// count is how many searches are under way for a peer; for this node itself, if it is zero.
func (f *finds) count(from name.Node) (n int) {
	for _, s := range f.open {
		if s.from == from {
			n++
		}
	}
	return n
}

// search is one search.
type search struct {
	id      uint64
	subject string
	from    name.Node   // who asked here; zero: this node's host
	waiting []name.Node // who has not answered yet
	pulls   []string    // owners that were named and are being pulled
	until   overlay.Time
}

const (
	hopsMost  = 3
	hopTime   = 400 * time.Millisecond // for each hop that is left
	openMost  = 256                    // under way for this node, and as many for all others
	openPeer  = 64                     // of which for one peer
	seenMost  = 1024                   // remembered of one peer
	seenFor   = 30 * time.Second
	ownerMost = 16 // owners named in an answer
)

// next is when findsDue has something to do: at once, when a search has changed.
func (m *Machine) nextFind() overlay.Time {
	at := overlay.Never
	for _, s := range m.finds.open {
		at = min(at, s.until)
		if s.idle() || !slices.ContainsFunc(s.pulls, m.isAsked) && len(s.pulls) > 0 {
			return m.now
		}
	}
	return at
}

func (m *Machine) isAsked(owner string) bool { _, asked := m.asked[owner]; return asked }

// forgetSeen forgets searches of peers that nobody passes on any more.
func (m *Machine) forgetSeen() {
	for _, p := range m.peers {
		// order: entries are dropped each for itself
		for id, at := range p.seen {
			if m.now-at > seenFor {
				delete(p.seen, id)
			}
		}
	}
}

// wasSeen reports whether a search has come here before, by whichever way.
func (m *Machine) wasSeen(id uint64) bool {
	return slices.ContainsFunc(m.peers, func(p *peer) bool { _, seen := p.seen[id]; return seen }) ||
		slices.ContainsFunc(m.finds.open, func(s *search) bool { return s.id == id })
}

// find asks the peers for a subject on behalf of the host, unless that is under way.
func (m *Machine) find(subject string) {
	if slices.ContainsFunc(m.finds.open, func(s *search) bool { return s.from.IsZero() && s.subject == subject }) {
		return
	}
	if len(m.peers) == 0 || len(subject) > maxSubject || subject == "" || m.finds.count(name.Node{}) >= openMost {
		m.out.Found = append(m.out.Found, subject)
		return
	}
	m.spread(&search{id: m.rng.Uint64(), subject: subject}, hopsMost)
}

// spread asks all peers but the one who asked.
func (m *Machine) spread(s *search, hops uint8) {
	s.until = m.now + overlay.Time(hops)*hopTime
	m.finds.open = append(m.finds.open, s)
	frame := encode(&message{kind: seek, id: s.id, hops: hops - 1, subject: s.subject})
	for _, p := range m.peers {
		if p.node != s.from {
			s.waiting = append(s.waiting, p.node)
			m.send(p.node, frame)
		}
	}
}

// sought answers a peer: with what is known, with nothing, or when others have answered.
func (m *Machine) sought(p *peer, msg *message) {
	holders := m.cfg.Holders(msg.subject)
	switch {
	case len(holders) > 0:
		m.answer(p.node, msg.id, holders)
	case m.wasSeen(msg.id), msg.hops == 0, msg.hops > hopsMost:
		m.answer(p.node, msg.id, nil)
	case m.finds.count(p.node) >= openPeer, len(m.finds.open) >= 2*openMost, len(p.seen) >= seenMost:
		m.stats.Refused++
		m.answer(p.node, msg.id, nil)
	default:
		m.stats.Searches++
		p.seen[msg.id] = m.now
		m.spread(&search{id: msg.id, subject: msg.subject, from: p.node}, msg.hops)
	}
}

func (m *Machine) answer(to name.Node, id uint64, holders []name.Node) {
	msg := message{kind: found, id: id}
	for _, owner := range holders[:min(len(holders), ownerMost)] {
		mark := m.store.Mark(owner.String())
		msg.places = append(msg.places, place{owner.String(), mark.Inc, mark.Seq})
	}
	m.send(to, encode(&msg))
}

// heard: a peer has answered a search; the owners that it names are pulled from it.
func (m *Machine) heard(p *peer, msg *message) {
	i := slices.IndexFunc(m.finds.open, func(s *search) bool { return s.id == msg.id })
	if i < 0 || len(msg.places) > ownerMost {
		return
	}
	s := m.finds.open[i]
	if !slices.Contains(s.waiting, p.node) {
		return
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(n name.Node) bool { return n == p.node })
	for _, place := range msg.places {
		mine := m.store.Mark(place.owner)
		if mine.Compare(&antientropy.Mark{Inc: place.inc, Seq: place.seq}) < 0 {
			m.wantFrom(p, place.owner)
			s.pulls = append(s.pulls, place.owner)
		}
	}
}

// findsDue ends the searches that have found something, that have nobody left to ask, or
// whose time is over. It comes at the beginning of a Step, when the host has seen to the
// changes of the last.
func (m *Machine) findsDue() {
	m.finds.open = slices.DeleteFunc(m.finds.open, func(s *search) bool {
		s.pulls = slices.DeleteFunc(s.pulls, func(owner string) bool { return !m.isAsked(owner) })
		holders := m.cfg.Holders(s.subject)
		over := len(holders) > 0 || s.idle() || s.until <= m.now
		if over {
			m.over(s, holders)
		}
		return over
	})
}

func (s *search) idle() bool { return len(s.waiting)+len(s.pulls) == 0 }

func (m *Machine) over(s *search, holders []name.Node) {
	if s.from.IsZero() {
		m.out.Found = append(m.out.Found, s.subject)
		return
	}
	m.answer(s.from, s.id, holders)
}

// findsWithout: a peer is gone and will not answer; who asked is not answered.
func (m *Machine) findsWithout(node name.Node) {
	m.finds.open = slices.DeleteFunc(m.finds.open, func(s *search) bool { return s.from == node })
	for _, s := range m.finds.open {
		s.waiting = slices.DeleteFunc(s.waiting, func(n name.Node) bool { return n == node })
	}
}
