package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// inquiry is the look for a member whose link fell without good-bye.
type inquiry struct {
	peer  overlay.Peer
	inc   uint64
	until overlay.Time
	again bool      // it had its second round
	asked []request // of helpers, of all rounds
}

// request is what a helper was asked.
type request struct {
	helper overlay.Peer
	nonce  uint32
}

// relay is a look for somebody else.
type relay struct {
	peer, asker overlay.Peer
	nonce       uint32
	until       overlay.Time
}

// inquire begins to look. A process that said that it ends is not looked for.
func (m *Machine) inquire(r *record, why overlay.Reason) {
	m.lost = append(m.lost, m.now)
	m.lost = m.lost[max(0, len(m.lost)-selfDoubt):]
	if len(m.inquiries) >= maxInquiries || slices.ContainsFunc(m.inquiries, func(q inquiry) bool { return q.peer == r.peer }) {
		return
	}
	m.stats.Inquiries++
	q := inquiry{peer: r.peer, inc: r.inc, until: m.now + m.health.stretch(m.cfg.Round)}
	if why == overlay.Stopping {
		q.until, q.again = m.now, true
	} else {
		m.look(&q)
	}
	m.inquiries = append(m.inquiries, q)
}

// look pings a member, and has others ping it.
func (m *Machine) look(q *inquiry) {
	p, asked := q.peer, 0
	m.nonce++
	m.say(p, Message{Kind: Ping, Nonce: m.nonce})
	for _, i := range m.rng.Perm(len(m.links)) {
		l := &m.links[i]
		if asked == m.cfg.Helpers {
			break
		}
		if r := m.table.find(l.peer); l.peer == p || r == nil || r.state != Alive {
			continue
		}
		m.say(l.peer, Message{Kind: Ask, Peer: p, Nonce: m.nonce})
		q.asked = append(q.asked, request{helper: l.peer, nonce: m.nonce})
		asked++
	}
}

func (m *Machine) closeInquiry(p overlay.Peer) {
	m.inquiries = slices.DeleteFunc(m.inquiries, func(q inquiry) bool { return q.peer == p })
}

// doubtsSelf: so many links at once are rather this node's fault.
func (m *Machine) doubtsSelf() bool {
	return len(m.lost) == selfDoubt && m.lost[selfDoubt-1]-m.lost[0] <= m.cfg.Round
}

// sweepInquiries ends those whose time is up, in one obituary.
func (m *Machine) sweepInquiries() {
	var dead []Entry
	suspectsSelf := m.doubtsSelf()
	m.inquiries = slices.DeleteFunc(m.inquiries, func(q inquiry) bool { return q.until <= m.now && q.again && m.bury(q, &dead) })
	for i := range m.inquiries {
		q := &m.inquiries[i]
		if q.until > m.now {
			continue
		}
		q.again = true
		if suspectsSelf {
			q.until = m.now + m.health.stretch(m.cfg.Round)
			m.look(q)
		}
	}
	if !suspectsSelf {
		m.inquiries = slices.DeleteFunc(m.inquiries, func(q inquiry) bool { return q.until <= m.now && m.bury(q, &dead) })
	}
	m.relays = slices.DeleteFunc(m.relays, func(r relay) bool { return r.until <= m.now })
	if len(dead) > 0 {
		m.accuse(dead)
	}
}

// bury notes the end of an inquiry in vain.
func (m *Machine) bury(q inquiry, dead *[]Entry) bool {
	if r := m.table.find(q.peer); r != nil && r.inc == q.inc && r.up() {
		*dead = append(*dead, Entry{Peer: r.peer, State: Suspect, Inc: r.inc, Ref: r.ref})
	}
	return true
}

// pong: a member answered this node.
func (m *Machine) pong(from overlay.Peer) {
	m.closeInquiry(from)
	for _, r := range m.relays {
		if r.peer == from {
			m.say(r.asker, Message{Kind: Answer, Peer: from, Nonce: r.nonce})
		}
	}
	m.relays = slices.DeleteFunc(m.relays, func(r relay) bool { return r.peer == from })
}

// asked: a neighbour wants a member pinged.
func (m *Machine) asked(from overlay.Peer, msg *Message) {
	switch {
	case m.link(from) == nil || m.table.find(msg.Peer) == nil || m.isSelf(msg.Peer):
		m.stats.Strange++
	case len(m.relays) >= maxRelays:
		m.stats.Cut++
	default:
		m.relays = append(m.relays, relay{peer: msg.Peer, asker: from, nonce: msg.Nonce, until: m.now + 2*m.cfg.Round})
		m.say(msg.Peer, Message{Kind: Ping, Nonce: msg.Nonce})
	}
}

// answered: a helper reached the member that this node does not reach. It may lie; but only who
// was asked may, and who that is is chance.
func (m *Machine) answered(from overlay.Peer, msg *Message) {
	i := slices.IndexFunc(m.inquiries, func(q inquiry) bool { return q.peer == msg.Peer })
	switch {
	case i < 0: // the other helper was faster
	case !slices.Contains(m.inquiries[i].asked, request{helper: from, nonce: msg.Nonce}):
		m.stats.Strange++
	default:
		m.closeInquiry(msg.Peer)
		m.stats.Indirect++
	}
}
