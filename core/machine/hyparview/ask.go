package hyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// ask is a request to another node that is not answered: first the link is made, then
// the request is sent.
type ask struct {
	peer overlay.Peer
	gen  uint32
	why  motive
	sent bool
}

type motive uint8

const (
	toFill  motive = iota + 1 // there is room
	toWalk                    // the end of a forwarded join
	toReach                   // it was out of reach, and may be an island
	toEnter                   // a contact, while there are no neighbours
	toJoin                    // by command, which is answered
)

func (m *Machine) askOf(p overlay.Peer) int {
	for i := range m.asks {
		if m.asks[i].peer == p {
			return i
		}
	}
	return -1
}

// ask begins a request. A second one to the same peer raises the first.
func (m *Machine) ask(p overlay.Peer, why motive) {
	if i := m.askOf(p); i >= 0 {
		m.asks[i].why = max(m.asks[i].why, why)
		if why >= toEnter && m.asks[i].sent {
			m.say(p, Message{Kind: Join})
		}
		return
	}
	if len(m.asks) >= maxAsks {
		m.settle(ask{peer: p, why: why}, false, overlay.Refused)
		m.learn(p, nil)
		return
	}
	m.gen++
	m.asks = append(m.asks, ask{peer: p, gen: m.gen, why: why})
	m.out.Dials = append(m.out.Dials, p)
	m.out.Timers = append(m.out.Timers, overlay.Arm{
		At:    m.now + m.cfg.Ask,
		Timer: overlay.Timer{Owner: overlay.HyParView, Kind: timeAsk, Gen: m.gen, Key: uint64(p)},
	})
}

func (m *Machine) unask(i int) ask {
	a := m.asks[i]
	m.asks = slices.Delete(m.asks, i, i+1)
	return a
}

// asked counts the requests that may soon fill a place, for whatever they were made, and
// of all requests the sent ones.
func (m *Machine) asked() (filling, sent int) {
	for i := range m.asks {
		if m.asks[i].why != toReach {
			filling++
		}
		if m.asks[i].sent {
			sent++
		}
	}
	return filling, sent
}

func (m *Machine) linkUp(p overlay.Peer, inc uint64) {
	if i := m.neighbourAt(p); i >= 0 && m.active[i].inc < inc {
		m.lost(i, overlay.Lost)
	}
	i := m.askOf(p)
	if i < 0 || m.asks[i].sent {
		return
	}
	if m.isActive(p) {
		m.settle(m.unask(i), true, overlay.Lost)
		return
	}
	if !m.needed(m.asks[i].why) {
		if a := m.unask(i); a.why == toFill {
			m.keep(p, m.now)
		}
		m.hangUp(p, overlay.Dropped)
		return
	}
	m.request(i)
}

// needed: a link is there; does this node still want what it was made for? To merge two
// islands one neighbour of each node is plenty.
func (m *Machine) needed(why motive) bool {
	_, sent := m.asked()
	full := len(m.active)+sent >= m.cfg.Active
	switch why {
	case toFill:
		return !full
	case toReach:
		return !full || m.now >= m.merged
	}
	return true
}

// request sends what the link was made for.
func (m *Machine) request(i int) {
	a := &m.asks[i]
	a.sent = true
	switch {
	case a.why >= toEnter:
		m.say(a.peer, Message{Kind: Join})
	case a.why == toReach || len(m.active) == 0 && a.why == toFill:
		m.say(a.peer, Message{Kind: Neighbor, Flags: High})
	default:
		m.say(a.peer, Message{Kind: Neighbor})
	}
}

func (m *Machine) linkDown(p overlay.Peer, inc uint64, why overlay.Reason) {
	if i := m.neighbourAt(p); i >= 0 && m.active[i].inc == inc {
		switch {
		case why == overlay.Restarted:
			m.restarted(i)
		case overlay.Evidence(why):
			m.lost(i, why)
		case why == overlay.Leaving:
			m.remove(i, why)
			m.forget(p)
		default:
			m.remove(i, why)
			m.keep(p, m.now+m.cfg.Retry)
		}
	}
	// A dial that is under way will be answered; a request went down with the link.
	i := m.askOf(p)
	switch {
	case i < 0 || !m.asks[i].sent:
	case why == overlay.Idle || why == overlay.Duplicate || why == overlay.Restarted:
		m.asks[i].sent = false // no answer at all: ask again, for as long as the time for it lasts
		m.out.Dials = append(m.out.Dials, p)
	case overlay.Evidence(why):
		m.fruitless(m.unask(i), why)
	default:
		m.settle(m.unask(i), false, why)
		if !m.remembers(p) {
			m.keep(p, m.now+m.cfg.Retry)
		}
	}
}

func (m *Machine) dialFailed(p overlay.Peer, why overlay.Reason) {
	if i := m.askOf(p); i >= 0 && !m.asks[i].sent {
		m.fruitless(m.unask(i), why)
	}
}

func (m *Machine) askTimeout(p overlay.Peer, gen uint32) {
	i := m.askOf(p)
	if i < 0 || m.asks[i].gen != gen {
		return
	}
	m.fruitless(m.unask(i), overlay.Silent)
	if !m.isActive(p) {
		m.hangUp(p, overlay.Dropped)
	}
}

// fruitless: nothing came of a request, and no answer either.
func (m *Machine) fruitless(a ask, why overlay.Reason) {
	if !m.isActive(a.peer) {
		m.failed(a.peer)
		m.unreached(a.peer)
	}
	m.hurry()
	m.settle(a, m.isActive(a.peer), why)
}

// settle tells who asked for a join how it ended.
func (m *Machine) settle(a ask, well bool, why overlay.Reason) {
	switch {
	case a.why != toJoin:
	case well:
		m.emit(overlay.Joined, a.peer, 0, 0)
	default:
		m.emit(overlay.JoinFailed, a.peer, 0, why)
	}
}
