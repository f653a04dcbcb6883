package hyparview

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Active appends the neighbours, in no order that means anything.
func (m *Machine) Active(into []overlay.Peer) []overlay.Peer {
	for i := range m.active {
		into = append(into, m.active[i].peer)
	}
	return into
}

// Passive appends the reserve, in no order that means anything.
func (m *Machine) Passive(into []overlay.Peer) []overlay.Peer {
	return append(into, m.passive.peers...)
}

// Remembered appends the peers that failed too often and are dialed now and then.
func (m *Machine) Remembered(into []overlay.Peer) []overlay.Peer {
	for _, r := range m.memory {
		if r.due != overlay.Never {
			into = append(into, r.peer)
		}
	}
	return into
}

// Knows reports whether the machine may ever speak of p again by itself: a host that
// gives out numbers may take back those of which it may not.
func (m *Machine) Knows(p overlay.Peer) bool {
	return m.isActive(p) || m.passive.at(p) >= 0 || m.remembers(p) || m.askOf(p) >= 0
}

// Wants reports whether p is a neighbour or is being asked to be one: the host holds the
// link to it.
func (m *Machine) Wants(p overlay.Peer) bool { return m.isActive(p) || m.askOf(p) >= 0 }

// HasLeft reports whether this node has left and not joined again.
func (m *Machine) HasLeft() bool { return m.left }

// Rejected counts messages that could not be true.
func (m *Machine) Rejected() uint64 { return m.rejected }
