package hyparview

import (
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Check looks for contradictions in the machine's state between steps. It is for tests
// and simulations.
func (m *Machine) Check() error {
	switch {
	case len(m.active) > m.cfg.Active:
		return fmt.Errorf("%d neighbours, at most %d", len(m.active), m.cfg.Active)
	case len(m.passive.peers) > m.cfg.Passive || len(m.passive.peers) != len(m.passive.info):
		return fmt.Errorf("%d passive, at most %d", len(m.passive.peers), m.cfg.Passive)
	case len(m.memory) > m.cfg.Remember:
		return fmt.Errorf("%d remembered, at most %d", len(m.memory), m.cfg.Remember)
	case len(m.forced) > favoursKept || len(m.rushed) > favoursKept:
		return fmt.Errorf("%d and %d had their way", len(m.forced), len(m.rushed))
	case m.left && (len(m.active) > 0 || len(m.asks) > 0):
		return fmt.Errorf("left, with %d neighbours and %d requests", len(m.active), len(m.asks))
	}
	return m.checkPeers()
}

func (m *Machine) checkPeers() error {
	for i, n := range m.active {
		if err := m.checkPeer(n.peer, slices.ContainsFunc(m.active[:i], func(o neighbour) bool { return o.peer == n.peer })); err != nil {
			return fmt.Errorf("active: %w", err)
		}
		if m.passive.at(n.peer) >= 0 || m.remembers(n.peer) {
			return fmt.Errorf("%d is active and in reserve", n.peer)
		}
	}
	for i, p := range m.passive.peers {
		if err := m.checkPeer(p, slices.Contains(m.passive.peers[:i], p)); err != nil {
			return fmt.Errorf("passive: %w", err)
		}
	}
	for i, a := range m.asks {
		if err := m.checkPeer(a.peer, slices.ContainsFunc(m.asks[:i], func(o ask) bool { return o.peer == a.peer })); err != nil {
			return fmt.Errorf("asks: %w", err)
		}
	}
	return nil
}

func (m *Machine) checkPeer(p overlay.Peer, twice bool) error {
	switch {
	case p == m.self:
		return fmt.Errorf("the node itself")
	case p == overlay.Nobody:
		return fmt.Errorf("nobody")
	case twice:
		return fmt.Errorf("%d twice", p)
	}
	return nil
}
