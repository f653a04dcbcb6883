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

// onJoin takes a newcomer in and sends word of it on walks to other neighbours.
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
	walks := m.walks()
	m.accept(p, inc)
	m.spread(p, walks)
}

// walks is how many neighbours send word of a newcomer on a walk, as things are just before it is
// taken in. As published it is all. With Handover each walk brings two neighbours, who is where it
// ends and who has to go there, and so does the contact. More would be in vain, and in a storm of
// joins each costs two others a connection.
func (m *Machine) walks() int {
	if m.cfg.Handover && !m.room() {
		return (m.cfg.Active - 1) / 2
	}
	return len(m.active)
}

// spread sends word of a newcomer, a neighbour now, to so many others, chosen by chance.
func (m *Machine) spread(p overlay.Peer, walks int) {
	left := len(m.active) - 1
	for i := range m.active {
		q := m.active[i].peer
		if q == p {
			continue
		}
		if walks >= left || m.rng.IntN(left) < walks {
			m.say(q, Message{Kind: ForwardJoin, TTL: m.cfg.ARWL, Subject: p})
			walks--
		}
		left--
	}
}

// onForwardJoin: a walk that looks for a neighbour for a newcomer.
func (m *Machine) onForwardJoin(from overlay.Peer, msg *Message) {
	p, ttl := msg.Subject, min(msg.TTL, m.cfg.ARWL)
	if p == m.self || p == overlay.Nobody {
		return
	}
	next := m.onward(from, p)
	if ttl == 0 || next == overlay.Nobody {
		if !m.isActive(p) {
			m.ask(p, toWalk)
		}
		return
	}
	if ttl == m.cfg.PRWL {
		m.unremember(p)
		m.learn(p, nil)
	}
	m.say(next, Message{Kind: ForwardJoin, TTL: ttl - 1, Subject: p})
}

// onward is where a walk for p goes from here; Nobody, if it ends here. As published it goes on while
// there is another neighbour. Greedy, it goes no further than to a free place, and back from where
// there is none.
func (m *Machine) onward(from, p overlay.Peer) overlay.Peer {
	next, more := m.other(from, p)
	switch {
	case m.cfg.Greedy && m.vacant() && !m.isActive(p) && m.askOf(p) < 0:
		return overlay.Nobody
	case m.cfg.Greedy && !more:
		return from
	case len(m.active) <= 1:
		return overlay.Nobody
	}
	return next
}

// vacant: there is room, for more than those that have been asked.
func (m *Machine) vacant() bool {
	asked, _ := m.asked()
	return len(m.active)+asked < m.cfg.Active
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
