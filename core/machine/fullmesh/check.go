package fullmesh

import (
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/membership"
)

// Check looks for contradictions in the machine's state between steps. It is for
// tests and simulations.
func (m *Machine) Check() error {
	if len(m.records)+1 > max(m.cfg.MaxMembers, len(m.cfg.Known)+1) {
		return fmt.Errorf("%d records, at most %d members", len(m.records), m.cfg.MaxMembers)
	}
	if m.left && len(m.joins) > 0 {
		return fmt.Errorf("left, and %d joins wait", len(m.joins))
	}
	for i, r := range m.records {
		if i > 0 && m.records[i-1].node.Compare(r.node) >= 0 {
			return fmt.Errorf("%s: out of order", r.node)
		}
		if err := m.checkRecord(r); err != nil {
			return fmt.Errorf("%s: %w", r.node, err)
		}
	}
	return nil
}

func (m *Machine) checkRecord(r *record) error {
	reaching := r.dial.busy || r.dial.due != Never
	switch {
	case r.node == m.cfg.Self:
		return fmt.Errorf("a record of this node itself")
	case r.link.joined && (!r.link.up || r.state != membership.Alive || r.link.inc != r.inc):
		return fmt.Errorf("neighbour while %q at %d, link %+v", r.state, r.inc, r.link)
	case r.state != "" && !r.met:
		return fmt.Errorf("%s without proof", r.state)
	case r.state == membership.Suspect && r.until == Never:
		return fmt.Errorf("suspect for ever")
	case m.left && (r.link.joined || r.state != "" || r.dial.due != Never):
		return fmt.Errorf("this node left, and still has it as %q", r.state)
	case !m.left && !r.link.up && !reaching && r.state != "" && r.state != membership.Left:
		return fmt.Errorf("%s, and nobody tries to reach it", r.state)
	case len(r.endpoints) > maxEndpoints || len(r.dial.hints) > maxEndpoints:
		return fmt.Errorf("too many endpoints")
	case m.useless(r):
		return fmt.Errorf("a record without use")
	}
	return nil
}
