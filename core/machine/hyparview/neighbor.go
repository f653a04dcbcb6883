package hyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// favour remembers what a peer was granted, and until when not again.
type favour struct {
	peer  overlay.Peer
	until overlay.Time
}

// once reports whether a peer may have its way, and remembers that it had.
func (m *Machine) once(had *[]favour, p overlay.Peer, pause overlay.Time) bool {
	*had = slices.DeleteFunc(*had, func(f favour) bool { return f.until <= m.now })
	if slices.ContainsFunc(*had, func(f favour) bool { return f.peer == p }) {
		return false
	}
	if len(*had) >= favoursKept {
		*had = slices.Delete(*had, 0, 1)
	}
	*had = append(*had, favour{p, m.now + pause})
	return true
}

// mayForce reports whether a peer may be admitted at the price of another.
func (m *Machine) mayForce(p overlay.Peer) bool { return m.once(&m.forced, p, forcedPause) }

func (m *Machine) onNeighbor(p overlay.Peer, inc uint64, flags uint8) {
	switch {
	case m.left:
		m.say(p, Message{Kind: Reply, Flags: Gone})
	case m.isActive(p) || m.room() || flags&High != 0 && m.mayForce(p):
		m.accept(p, inc)
	default:
		m.say(p, Message{Kind: Reply})
		m.learn(p, nil)
	}
}

// accept answers yes and means it. A request of our own to the same peer is void by it.
func (m *Machine) accept(p overlay.Peer, inc uint64) {
	if i := m.askOf(p); i >= 0 && m.asks[i].why != toJoin {
		m.unask(i)
	}
	m.admit(p, inc)
	m.say(p, Message{Kind: Reply, Flags: Accept})
}

func (m *Machine) onReply(p overlay.Peer, inc uint64, flags uint8) {
	i := m.askOf(p)
	switch {
	case i < 0 || !m.asks[i].sent:
		m.unasked(p, flags)
	case flags&Accept != 0:
		m.accepted(m.unask(i), inc)
	default:
		m.refusedBy(m.unask(i), flags)
	}
}

// unasked: an answer to a request that is no more. If it is a yes, the other has us for
// a neighbour and must be told.
func (m *Machine) unasked(p overlay.Peer, flags uint8) {
	if flags&Accept != 0 && !m.isActive(p) {
		m.say(p, Message{Kind: Disconnect})
		m.hangUp(p, overlay.Dropped)
	}
}

func (m *Machine) accepted(a ask, inc uint64) {
	if m.isActive(a.peer) || m.room() || a.why != toFill {
		if a.why == toReach {
			m.merged = m.now + mergePause
		}
		m.admit(a.peer, inc)
		m.settle(a, true, 0)
		return
	}
	m.say(a.peer, Message{Kind: Disconnect})
	m.keep(a.peer, m.now)
	m.hangUp(a.peer, overlay.Dropped)
}

// refusedBy: it lives and has no room; it stays in reserve.
func (m *Machine) refusedBy(a ask, flags uint8) {
	why := overlay.Refused
	if flags&Gone != 0 {
		why = overlay.Leaving
	}
	m.settle(a, m.isActive(a.peer), why)
	if m.isActive(a.peer) {
		return
	}
	m.hangUp(a.peer, overlay.Dropped)
	if flags&Gone != 0 {
		m.forget(a.peer)
		return
	}
	m.unremember(a.peer)
	m.keep(a.peer, m.now+m.around(4*m.cfg.Retry))
	m.hurry()
	m.calm()
	if m.refused++; m.refused >= refusals {
		m.pause = m.now + m.backoff(m.refused-refusals, len(m.active) == 0 && m.cfg.Remember > 0)
	}
}

// onDisconnect: a neighbour made room for another, or leaves. Neither is a failure.
func (m *Machine) onDisconnect(i int, p overlay.Peer, msg *Message) {
	if msg.Flags&Gone != 0 {
		if i >= 0 {
			m.remove(i, overlay.Leaving)
		}
		m.forget(p)
		return
	}
	if i < 0 {
		return
	}
	m.remove(i, overlay.Dropped)
	m.part(p, msg.Subject, m.around(4*m.cfg.Retry))
	m.refused, m.pause = 0, m.now
	m.calm()
	m.follow(p, msg.Subject)
}

// part keeps a former neighbour in reserve, not to be asked for a while. If both got the same neighbour
// for each other, a link between them would close a triangle, and triangles reach nobody: not before shuffles
// have brought others to choose from.
func (m *Machine) part(p, heir overlay.Peer, pause overlay.Time) {
	if m.cfg.Handover && heir != overlay.Nobody {
		pause = max(pause, m.around(m.cfg.Shuffle))
	}
	m.keep(p, m.now+pause)
}

// follow asks the one for whom this node lost its place: it has a neighbour now, and most likely
// room. That is how a newcomer gets into the middle of a link that there was: each of the two gets
// it in place of the other. Meanwhile nobody else is asked, unless nothing comes of it and there is
// no other neighbour. A peer that comes and goes is not followed each time.
func (m *Machine) follow(p, heir overlay.Peer) {
	switch {
	case !m.cfg.Handover || heir == m.self || heir == overlay.Nobody || m.isActive(heir) || m.parted(heir):
		return
	case !m.once(&m.rushed, p, m.cfg.Retry):
		return
	}
	m.ask(heir, toFill)
	m.pause = m.now + m.around(m.cfg.Settle)
}

// hurry: a node without neighbours does not wait for anything but answers.
func (m *Machine) hurry() {
	if len(m.active) == 0 {
		m.pause = m.now
	}
}

// calm: while most places are taken there is no hurry to fill the others. In a storm of
// joins whoever comes next takes them, and a request costs a connection.
func (m *Machine) calm() {
	if m.cfg.Settle > 0 && 2*len(m.active) > m.cfg.Active {
		m.pause = m.now + m.around(m.cfg.Settle)
	}
}
