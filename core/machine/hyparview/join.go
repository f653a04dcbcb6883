package hyparview

import "github.com/barrelp2p/barrel/core/machine/overlay"

// join is the command to enter the cluster through p. It ends what leave began.
func (m *Machine) join(p overlay.Peer) {
	m.left = false
	switch {
	case p == m.self || p == overlay.Nobody:
		m.emit(overlay.JoinFailed, p, 0, overlay.Refused)
	case m.isActive(p):
		m.emit(overlay.Joined, p, 0, 0)
	default:
		m.unremember(p)
		m.ask(p, toJoin)
	}
}

// onJoin takes a newcomer in and sends word of it on a walk to each other neighbour.
func (m *Machine) onJoin(p overlay.Peer, inc uint64) {
	switch {
	case m.left:
		m.say(p, Message{Kind: Reply, Flags: Gone})
		return
	case m.isActive(p):
		m.say(p, Message{Kind: Reply, Flags: Accept})
		return
	case !m.mayForce(p) && !m.room():
		m.say(p, Message{Kind: Reply})
		return
	}
	m.accept(p, inc)
	for i := range m.active {
		if q := m.active[i].peer; q != p {
			m.say(q, Message{Kind: ForwardJoin, TTL: m.cfg.ARWL, Subject: p})
		}
	}
}

// onForwardJoin: a walk that looks for a neighbour for a newcomer.
func (m *Machine) onForwardJoin(from overlay.Peer, msg *Message) {
	p, ttl := msg.Subject, min(msg.TTL, m.cfg.ARWL)
	if p == m.self || p == overlay.Nobody {
		return
	}
	next, more := m.other(from, p)
	if ttl == 0 || len(m.active) <= 1 || !more {
		if !m.isActive(p) {
			m.unremember(p)
			m.ask(p, toWalk)
		}
		return
	}
	if ttl == m.cfg.PRWL || m.cfg.Greedy && 2*len(m.active) < m.cfg.Active {
		m.unremember(p)
		m.learn(p, nil)
	}
	m.say(next, Message{Kind: ForwardJoin, TTL: ttl - 1, Subject: p})
}

// leave tells the neighbours good-bye. The node is nobody's neighbour until join.
func (m *Machine) leave() {
	m.left = true
	for len(m.active) > 0 {
		p := m.active[0].peer
		m.say(p, Message{Kind: Disconnect, Flags: Gone})
		m.hangUp(p, overlay.Leaving)
		m.remove(0, overlay.Leaving)
	}
	for len(m.asks) > 0 {
		a := m.unask(0)
		m.settle(a, false, overlay.Leaving)
		m.hangUp(a.peer, overlay.Leaving)
	}
	m.passive.clear()
	m.memory = m.memory[:0]
}
