package plumtree

import (
	"math"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// link is what one end knows of a link to a neighbour.
type link struct {
	peer    overlay.Peer
	eager   bool
	version uint32
	slow    bool         // it has no room for payloads
	held    bool         // nor for announcements
	told    overlay.Time // when the state was last sent unasked
	opened  int          // messages that are missing by its word
	queue   []Announce   // not announced yet
}

func (m *Machine) find(p overlay.Peer) *link {
	for _, l := range m.links {
		if l.peer == p {
			return l
		}
	}
	return nil
}

// up: a new neighbour is an edge of the tree until that proves too much.
func (m *Machine) up(p overlay.Peer) {
	if p == overlay.Nobody {
		return
	}
	m.down(p)
	l := &link{peer: p, eager: true, told: math.MinInt64 / 2, opened: m.missing.openedBy(p)}
	m.links = append(m.links, l)
	m.turns++
	if m.cfg.Greet {
		l.queue = m.cache.recent(m.now-m.cfg.Recent, min(maxGreeting, m.cfg.MaxQueue))
		m.announce(l, true)
	}
}

// down forgets a neighbour. What only it announced is looked for again when somebody
// else announces it.
func (m *Machine) down(p overlay.Peer) {
	m.turns++
	m.links = slices.DeleteFunc(m.links, func(l *link) bool { return l.peer == p })
	m.missing.hurry(p, m.now)
}

// higher reports whether the state (version, eager) counts more than that of l.
func (l *link) higher(version uint32, eager bool) bool {
	return version > l.version || version == l.version && eager && !l.eager
}

// merge takes over the peer's word on the state of the link if it is the later one.
// A link that is slow stays lazy whatever the peer wants.
func (m *Machine) merge(l *link, version uint32, eager bool) {
	if !l.higher(version, eager) {
		return
	}
	l.version, l.eager = version, eager
	m.turns++
	if l.slow && l.eager {
		m.prune(l)
	}
}

// turn changes the state from this end; what is sent next tells the peer.
func (m *Machine) turn(l *link, eager bool) {
	if l.eager == eager {
		return
	}
	l.eager = eager
	m.turns++
	if l.version < math.MaxUint32 {
		l.version++
	}
}

// catchUp tells the state to a peer whose word was an older one, but not for each of
// the messages that were under way when it changed.
func (m *Machine) catchUp(l *link, version uint32, eager bool) {
	behind := version < l.version || version == l.version && l.eager && !eager
	if !behind || m.now-retell < l.told {
		return
	}
	l.told = m.now
	if l.eager {
		m.send(l, Message{Kind: Graft})
	} else {
		m.send(l, Message{Kind: Prune})
	}
}

// prune makes a link lazy at both ends.
func (m *Machine) prune(l *link) {
	m.turn(l, false)
	l.told = m.now
	m.send(l, Message{Kind: Prune})
}

// slow: the host has no room for this peer.
func (m *Machine) slow(p overlay.Peer) {
	l := m.find(p)
	if l == nil || l.slow {
		return
	}
	l.slow = true
	m.stats.Demoted++
	if l.eager {
		m.prune(l)
	}
}

func (m *Machine) fast(p overlay.Peer) {
	l := m.find(p)
	if l == nil || !l.slow {
		return
	}
	l.slow, l.held = false, false
	m.announce(l, false)
}

// Unsent tells the machine that a message it asked to send was not queued, because
// the peer does not take more: it is OpSlow, and nothing is lost. A payload becomes an
// announcement; what is smaller shows that not even those have room, and announcements wait
// for OpFast. A GRAFT is repeated by its timer, and the state of the link goes with the
// next message.
func (m *Machine) Unsent(now overlay.Time, to overlay.Peer, msg *Message, out *overlay.Effects[Message]) {
	m.now, m.out = max(m.now, now), out
	m.slow(to)
	if l := m.find(to); l != nil {
		m.unsent(l, msg)
	}
	m.arm()
	m.out = nil
}

func (m *Machine) unsent(l *link, msg *Message) {
	if msg.Kind == Gossip {
		m.stats.Turned++
		m.enqueue(l, Announce{msg.ID, msg.Round})
		return
	}
	l.held = true
	if msg.Kind == IHave {
		for _, a := range msg.List {
			m.enqueue(l, a)
		}
	}
}

// Turns counts how often what Eager says may have changed.
func (m *Machine) Turns() uint64 { return m.turns }

// Eager lists the neighbours over edges of the tree, in the order in which they came.
func (m *Machine) Eager() []overlay.Peer { return m.peers(true) }

// Lazy lists the other neighbours.
func (m *Machine) Lazy() []overlay.Peer { return m.peers(false) }

func (m *Machine) peers(eager bool) []overlay.Peer {
	var all []overlay.Peer
	for _, l := range m.links {
		if l.eager == eager {
			all = append(all, l.peer)
		}
	}
	return all
}
