package hyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// remembered is a peer that failed too often, or left. It is not in the passive view,
// and what others say does not bring it there.
type remembered struct {
	peer overlay.Peer
	due  overlay.Time // dialed again then; Never: it left
}

func (m *Machine) memoryAt(p overlay.Peer) int {
	return slices.IndexFunc(m.memory, func(r remembered) bool { return r.peer == p })
}

func (m *Machine) remembers(p overlay.Peer) bool { return m.memoryAt(p) >= 0 }

// parted reports whether a peer left by its own word.
func (m *Machine) parted(p overlay.Peer) bool {
	i := m.memoryAt(p)
	return i >= 0 && m.memory[i].due == overlay.Never
}

func (m *Machine) unremember(p overlay.Peer) {
	if i := m.memoryAt(p); i >= 0 {
		m.memory = slices.Delete(m.memory, i, i+1)
	}
}

// remember keeps a peer in mind; the oldest makes room.
func (m *Machine) remember(p overlay.Peer, left bool) {
	if m.cfg.Remember == 0 {
		return
	}
	m.unremember(p)
	if len(m.memory) >= m.cfg.Remember {
		m.memory = slices.Delete(m.memory, 0, 1)
	}
	r := remembered{peer: p, due: m.now + m.around(m.cfg.Reach)}
	if left {
		r.due = overlay.Never
	}
	m.memory = append(m.memory, r)
	if !left {
		m.arm(&m.reaching, timeReach, r.due)
	}
}

// forget: a peer left by its own word.
func (m *Machine) forget(p overlay.Peer) {
	m.passive.remove(p)
	m.remember(p, true)
}

// erase: the host has found out that p was nobody.
func (m *Machine) erase(p overlay.Peer) {
	if i := m.neighbourAt(p); i >= 0 {
		m.remove(i, overlay.Refused)
	}
	if i := m.askOf(p); i >= 0 {
		m.settle(m.unask(i), false, overlay.Refused)
	}
	m.passive.remove(p)
	m.unremember(p)
}

// down: the cluster takes a peer for dead. If it is not, it will answer some day.
func (m *Machine) down(p overlay.Peer) {
	if m.passive.at(p) >= 0 {
		m.passive.remove(p)
		m.remember(p, false)
	}
}

// reachFor: the host knows members to which there is no path. They are dialed first.
func (m *Machine) reachFor(peers []overlay.Peer) {
	for _, p := range peers {
		if p == m.self || p == overlay.Nobody || m.isActive(p) || m.left {
			continue
		}
		m.passive.remove(p)
		m.remember(p, false)
		if i := m.memoryAt(p); i >= 0 {
			m.memory[i].due = m.now
			m.arm(&m.reaching, timeReach, m.now)
		}
	}
}

// reach dials those of the remembered that are due the longest, and plans the next. The
// more there are the more are dialed, so that each has its turn within minutes.
func (m *Machine) reach() {
	switch {
	case m.left:
		return
	case !m.room() && m.now < m.merged:
		m.arm(&m.reaching, timeReach, m.merged)
		return
	}
	for range 1 + len(m.memory)/reachShare {
		if i := m.mostDue(); i >= 0 && m.memory[i].due <= m.now {
			m.memory[i].due = m.now + m.around(m.cfg.Reach)
			m.ask(m.memory[i].peer, toReach)
		}
	}
	if i := m.mostDue(); i >= 0 {
		wait := m.around(m.cfg.Reach)
		if m.room() {
			wait /= 8 // there may be no others
		}
		m.arm(&m.reaching, timeReach, max(m.memory[i].due, m.now+wait))
	}
}

func (m *Machine) mostDue() int {
	best := -1
	for i := range m.memory {
		if m.memory[i].due == overlay.Never || m.askOf(m.memory[i].peer) >= 0 {
			continue
		}
		if best < 0 || m.memory[i].due < m.memory[best].due {
			best = i
		}
	}
	return best
}

// unreached: a remembered peer did not answer.
func (m *Machine) unreached(p overlay.Peer) {
	if i := m.memoryAt(p); i >= 0 && m.memory[i].due != overlay.Never {
		m.memory[i].due = m.now + m.around(m.cfg.Reach)
		m.arm(&m.reaching, timeReach, m.memory[i].due)
	}
}

// heal runs while there is room: a node without neighbours takes back what it had given
// up, and asks discovery.
func (m *Machine) heal() {
	if len(m.active) > 0 || m.cfg.Rejoin == 0 {
		return
	}
	wait := m.cfg.Rejoin
	if len(m.passive.peers)+len(m.memory) == 0 {
		wait = min(wait, m.cfg.Retry)
	}
	m.arm(&m.rejoining, timeRejoin, m.now+m.around(wait))
	for i := len(m.memory) - 1; i >= 0; i-- {
		if r := m.memory[i]; r.due != overlay.Never && len(m.passive.peers) < m.cfg.Passive {
			m.memory = slices.Delete(m.memory, i, i+1)
			m.restore(r.peer, r.due)
		}
	}
}

// restore puts a remembered peer back in reserve, unless it is there by other means.
func (m *Machine) restore(p overlay.Peer, due overlay.Time) {
	if m.passive.at(p) < 0 {
		m.insert(p, due, nil)
	}
}

// rejoin asks discovery for contacts while there are no neighbours, and nobody in sight who will be one.
func (m *Machine) rejoin() {
	if !m.left && len(m.active) == 0 && m.now >= m.pause {
		m.out.Discover = true
	}
}

// contacts is what discovery knows: some are joined at once if need be, the others are
// hearsay.
func (m *Machine) contacts(peers []overlay.Peer) {
	joined := 0
	for _, p := range peers {
		if p == m.self || p == overlay.Nobody || m.left || m.isActive(p) {
			continue
		}
		m.learn(p, nil)
		if len(m.active) == 0 && joined < contacts {
			m.unremember(p)
			m.ask(p, toEnter)
			joined++
		}
	}
}
