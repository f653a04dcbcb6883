package hyparview

import "github.com/barrelp2p/barrel/core/machine/overlay"

// refill asks passive peers until the active view is full. It runs after every step.
func (m *Machine) refill() {
	if m.left || !m.room() {
		return
	}
	m.heal()
	if len(m.passive.peers) == 0 {
		return
	}
	if m.pause > m.now {
		m.arm(&m.refilling, timeRefill, m.pause)
		return
	}
	out, _ := m.asked()
	for want := m.wanted(); out < want; out++ {
		p, wake := m.candidate()
		if p == overlay.Nobody {
			if wake != overlay.Never {
				m.arm(&m.refilling, timeRefill, wake)
			}
			return
		}
		m.ask(p, toFill)
	}
}

// wanted is how many requests may be out: without neighbours many, because most of
// what is known may be dead.
func (m *Machine) wanted() int {
	if len(m.active) == 0 {
		return dialsAlone
	}
	return m.cfg.Active - len(m.active)
}

// candidate is a random passive peer that may be asked now, or else the moment when
// one may.
func (m *Machine) candidate() (chosen overlay.Peer, wake overlay.Time) {
	n := 0
	wake = overlay.Never
	for i, p := range m.passive.peers {
		if m.askOf(p) >= 0 {
			continue
		}
		if due := m.dueAt(i); due > m.now {
			wake = min(wake, due)
			continue
		}
		n++
		if m.rng.IntN(n) == 0 {
			chosen = p
		}
	}
	return chosen, wake
}

// dueAt is when a passive peer may be asked. Who is alone soon asks those again that have not failed.
func (m *Machine) dueAt(i int) overlay.Time {
	r := &m.passive.info[i]
	if m.cfg.Handover && len(m.active) == 0 && r.fails == 0 {
		return min(r.due, r.learned+aloneRetry*m.cfg.Retry)
	}
	return r.due
}
