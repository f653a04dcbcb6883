package replica

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// frame takes a frame of a linked peer.
func (m *Machine) frame(from name.Node, bytes []byte) {
	p := m.peer(from)
	if p == nil {
		return
	}
	if antientropy.Is(bytes) {
		msg, err := antientropy.Decode(bytes)
		if err != nil {
			m.stats.Malformed++
			return
		}
		m.anti.Receive(m.now, from, &msg, &m.aeOut)
		return
	}
	msg, err := decode(bytes)
	if err != nil {
		m.stats.Malformed++
		return
	}
	switch msg.kind {
	case pull:
		m.pulled(p, &msg)
	case data:
		m.arrived(p, &msg)
	case more:
		m.moreOf(p, msg.number)
	case seek:
		m.sought(p, &msg)
	case found:
		m.heard(p, &msg)
	}
}

// Check reports what must never be the case.
func (m *Machine) Check() error {
	wanted, seen := 0, 0
	for _, p := range m.peers {
		wanted += len(p.pulling) + len(p.wants)
		seen = max(seen, len(p.seen))
		if (p.pulling != nil) == (p.until > 1<<62) {
			return fmt.Errorf("peer %s: %d owners pulled until %v", p.node, len(p.pulling), p.until)
		}
	}
	if wanted != len(m.asked) || len(m.finds.open) > 3*openMost || seen > seenMost {
		return fmt.Errorf("%d owners wanted, %d asked for, %d searches, %d seen", wanted, len(m.asked), len(m.finds.open), seen)
	}
	return m.store.Check()
}
