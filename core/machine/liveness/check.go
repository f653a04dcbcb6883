package liveness

import (
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Check looks for contradictions in the machine's state between steps. It is for tests
// and simulations.
func (m *Machine) Check() error {
	if err := m.checkBounds(); err != nil {
		return err
	}
	living, down, sums := 0, 0, [buckets]uint64{}
	for i := range m.table.records {
		r := &m.table.records[i]
		if err := m.checkRecord(i, r); err != nil {
			return fmt.Errorf("%d at %d.%d: %w", r.peer, r.inc, r.ref, err)
		}
		switch {
		case r.up():
			living++
			sums[m.table.bucket(r.peer)] += fold(fold(fold(m.table.id(r.peer), 1), r.inc), uint64(r.ref))
		case r.state == Down:
			down++
		}
	}
	if living != m.table.living || down != m.table.down || sums != m.table.sums {
		return fmt.Errorf("%d living, %d down; counted %d, %d; sums equal: %t", living, down, m.table.living, m.table.down, sums == m.table.sums)
	}
	return nil
}

func (m *Machine) checkBounds() error {
	switch {
	case len(m.table.records) > max(m.cfg.MaxMembers, 1):
		return fmt.Errorf("%d records, at most %d", len(m.table.records), m.cfg.MaxMembers)
	case m.table.slots() != len(m.table.records):
		return fmt.Errorf("%d records, %d in the index", len(m.table.records), m.table.slots())
	case len(m.marks.queue) > m.cfg.MaxWatermarks || len(m.marks.byPeer) > len(m.marks.queue):
		return fmt.Errorf("%d watermarks, %d by name", len(m.marks.queue), len(m.marks.byPeer))
	case len(m.spurned.until) > maxSpurned || len(m.spurned.queue) != len(m.spurned.until):
		return fmt.Errorf("%d refused, at most %d; %d in line", len(m.spurned.until), maxSpurned, len(m.spurned.queue))
	case len(m.wants) > 2*maxWanted*(len(m.links)+1):
		return fmt.Errorf("%d members asked for over %d links", len(m.wants), len(m.links))
	case len(m.revived) > maxEntries:
		return fmt.Errorf("%d revived, at most %d", len(m.revived), maxEntries)
	case len(m.inquiries) > maxInquiries || len(m.relays) > maxRelays:
		return fmt.Errorf("%d inquiries, %d for others", len(m.inquiries), len(m.relays))
	case slices.ContainsFunc(m.links, func(l link) bool { return len(l.news) > fewNews+1 || l.wanted > maxWanted }):
		return fmt.Errorf("a link for which too much waits")
	case m.pending() && m.sweepAt == overlay.Never:
		return fmt.Errorf("something waits for ever")
	case min(m.tickAt, m.sweepAt) < m.armed:
		return fmt.Errorf("something to do at %v, and the timer is at %v", min(m.tickAt, m.sweepAt), m.armed)
	}
	return nil
}

func (m *Machine) checkRecord(i int, r *record) error {
	suspected := slices.Contains(m.suspects, r.peer)
	switch {
	case m.table.find(r.peer) != r:
		return fmt.Errorf("lost its place")
	case r.peer == overlay.Nobody:
		return fmt.Errorf("nobody is a member")
	case i == 0 && r.state != Alive:
		return fmt.Errorf("this node takes itself for %s", r.state)
	case r.inc > m.cfg.MaxInc:
		return fmt.Errorf("from the far future")
	case (r.state == Suspect) != suspected || suspected && r.suspicion == nil:
		return fmt.Errorf("%s, in the list of suspects: %t", r.state, suspected)
	case r.suspicion != nil && (len(r.suspicion.observers) == 0 || len(r.suspicion.observers) > m.cfg.Observers):
		return fmt.Errorf("suspicion of %d observers", len(r.suspicion.observers))
	case r.held && r.state != Down:
		return fmt.Errorf("%s is held back", r.state)
	case !r.held && r.state != r.told && r.state != Left:
		return fmt.Errorf("%s, and %s was told", r.state, r.told)
	case r.moved > m.now:
		return fmt.Errorf("moved in the future")
	}
	return nil
}

// slots counts the records that the index knows.
func (t *table) slots() (n int) {
	for _, at := range t.index.slots {
		if at > 0 {
			n++
		}
	}
	return n
}
