package hyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func (m *Machine) neighbourAt(p overlay.Peer) int {
	for i := range m.active {
		if m.active[i].peer == p {
			return i
		}
	}
	return -1
}

func (m *Machine) isActive(p overlay.Peer) bool { return m.neighbourAt(p) >= 0 }

func (m *Machine) room() bool { return len(m.active) < m.cfg.Active }

// admit makes p a neighbour, at the price of another if it must be.
func (m *Machine) admit(p overlay.Peer, inc uint64) {
	if m.isActive(p) {
		return
	}
	for !m.room() {
		m.evict(m.rng.IntN(len(m.active)), p)
	}
	m.passive.remove(p)
	m.unremember(p)
	alone := len(m.active) == 0
	m.active = append(m.active, neighbour{p, inc, longAgo})
	m.refused, m.pause = 0, m.now
	m.emit(overlay.PeerUp, p, inc, 0)
	if alone {
		m.emit(overlay.Connected, p, inc, 0)
		m.arm(&m.shuffling, timeShuffle, m.now+m.firstShuffle())
	}
}

// evict tells a neighbour that there is no room for it any more, and who takes its place.
// It lives, and stays in reserve.
func (m *Machine) evict(i int, heir overlay.Peer) {
	p := m.active[i].peer
	if !m.cfg.Handover {
		heir = overlay.Nobody
	}
	m.say(p, Message{Kind: Disconnect, Subject: heir})
	m.remove(i, overlay.Dropped)
	m.part(p, heir, m.cfg.Retry)
	if m.askOf(p) < 0 {
		m.hangUp(p, overlay.Dropped)
	}
}

// lost: the link to a neighbour ended without a word.
func (m *Machine) lost(i int, why overlay.Reason) {
	p := m.active[i].peer
	m.remove(i, why)
	m.refused, m.pause = 0, m.now
	if m.cfg.Fails > 1 {
		m.keep(p, m.now)
		m.failed(p)
	}
}

// restarted: a neighbour has begun a later life. That may have one neighbour only, who alone would
// see it die, so it is asked at once; but a member that begins one life after the other is
// not run after.
func (m *Machine) restarted(i int) {
	p := m.active[i].peer
	m.remove(i, overlay.Restarted)
	m.keep(p, m.now+m.cfg.Retry)
	if m.once(&m.rushed, p, m.cfg.Retry) {
		m.ask(p, toFill)
	}
}

// remove takes a neighbour out of the active view and says so.
func (m *Machine) remove(i int, why overlay.Reason) {
	n := m.active[i]
	m.active = slices.Delete(m.active, i, i+1)
	m.emit(overlay.PeerDown, n.peer, n.inc, why)
	if len(m.active) == 0 {
		m.emit(overlay.Isolated, n.peer, n.inc, why)
	}
}

// other is a random neighbour that is none of two.
func (m *Machine) other(a, b overlay.Peer) (overlay.Peer, bool) {
	chosen, n := overlay.Nobody, 0
	for i := range m.active {
		p := m.active[i].peer
		if p == a || p == b {
			continue
		}
		n++
		if m.rng.IntN(n) == 0 {
			chosen = p
		}
	}
	return chosen, n > 0
}
