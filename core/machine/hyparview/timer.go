package hyparview

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Kinds of timers.
const (
	timeShuffle uint8 = iota + 1
	timeRefill
	timeReach
	timeRejoin
	timeAsk // Key: the peer
)

// gate is a timer of which one at most is under way.
type gate struct {
	gen uint32
	at  overlay.Time
	set bool
}

// arm sets a timer unless it is set for an earlier moment already.
func (m *Machine) arm(g *gate, kind uint8, at overlay.Time) {
	if g.set && g.at <= at {
		return
	}
	g.gen++
	g.at, g.set = at, true
	m.out.Timers = append(m.out.Timers, overlay.Arm{At: at, Timer: overlay.Timer{Owner: overlay.HyParView, Kind: kind, Gen: g.gen}})
}

func (m *Machine) timer(t overlay.Timer) {
	switch t.Kind {
	case timeShuffle:
		m.fire(&m.shuffling, t, m.shuffle)
	case timeRefill:
		m.fire(&m.refilling, t, func() {})
	case timeReach:
		m.fire(&m.reaching, t, m.reach)
	case timeRejoin:
		m.fire(&m.rejoining, t, m.rejoin)
	case timeAsk:
		m.askTimeout(overlay.Peer(t.Key), t.Gen)
	}
}

func (m *Machine) fire(g *gate, t overlay.Timer, do func()) {
	if g.set && g.gen == t.Gen {
		g.set = false
		do()
	}
}
