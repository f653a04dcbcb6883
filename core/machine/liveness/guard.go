package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// guard watches for many members falling at once. While it holds, MemberDown of a
// suspicion waits for the counter of that member to expire as well, or for calm: then whoever
// moves things moves them once.
type guard struct {
	falls       []overlay.Time // of late
	changed     overlay.Time
	holding     bool
	partitioned bool // told, and not over
}

// guardFall notes that a member became suspect, or fell.
func (m *Machine) guardFall(r *record) {
	g := &m.guard
	g.changed = m.now
	if r.told == Suspect {
		return // it was counted then
	}
	// Whom no neighbour on this side of a cut watches falls later, when its counter expires.
	for len(g.falls) > 0 && g.falls[0] < m.now-m.patience() {
		g.falls = g.falls[1:]
	}
	g.falls = append(g.falls, m.now)
	if len(g.falls) < m.cfg.GuardLeast || !m.many(len(g.falls)) {
		return
	}
	g.holding = true
	if !g.partitioned {
		g.partitioned = true
		m.out.Events = append(m.out.Events, overlay.Event{Kind: overlay.Partitioned})
	}
}

// many reports whether so many members are more than the share of a mass event.
func (m *Machine) many(n int) bool {
	return float64(n) > m.cfg.GuardShare*float64(m.table.living+m.table.down)
}

// sweepGuard ends what calm ends.
func (m *Machine) sweepGuard() {
	g := &m.guard
	if g.holding && m.now-g.changed >= m.cfg.GuardCalm {
		g.holding = false
		m.release()
	}
	if g.partitioned && !g.holding && !m.many(m.table.down) {
		g.partitioned = false
		m.out.Events = append(m.out.Events, overlay.Event{Kind: overlay.Healed})
	}
}

// release tells what was held back.
func (m *Machine) release() {
	for i := range m.table.records {
		if r := &m.table.records[i]; r.held {
			r.held = false
			m.tell(r, overlay.Silent)
		}
	}
}
