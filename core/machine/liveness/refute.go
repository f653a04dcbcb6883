package liveness

import (
	"math"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// refutation is when this node says next that it lives, and when it did last.
type refutation struct {
	at     overlay.Time
	last   overlay.Time
	said   bool
	raised bool         // the stamp is one that nobody has heard of
	back   overlay.Time // before that, doubts that went to everybody are not answered again
}

// accused: somebody does not reach this node. Only this node itself can say otherwise:
// with a higher number.
func (m *Machine) accused(e *Entry) {
	me := m.self()
	switch order := me.stamp(e.Inc, e.Ref); {
	case order == 0:
		m.health.worse(m.now)
		m.raise()
		m.announce(0)
	case order < 0 && e.Inc == me.inc:
		m.announce(2 * refutePause) // the refutation was perhaps not heard
	}
}

// raise gives this node the next stamp, unless it has one that it did not say yet.
func (m *Machine) raise() {
	if me := m.self(); !m.refute.raised && me.ref < math.MaxUint32 {
		m.stats.Refuted++
		m.refute.raised = true
		m.table.change(me, func() { me.ref, me.count = me.ref+1, 0 })
	}
}

// spread is over how long many nodes say something, so that all of them together stay
// within the rate of the counters.
func (m *Machine) spread() overlay.Time { return max(m.cfg.Spread, m.period()) * 4 / 5 }

// announce plans this node's word, in a while and not too often.
func (m *Machine) announce(in overlay.Time) {
	at := m.now + in
	if m.refute.said {
		at = max(at, m.refute.last+refutePause)
	}
	m.refute.at = min(m.refute.at, at)
}

func (m *Machine) sweepRefutation() {
	if m.refute.at > m.now {
		return
	}
	m.refute.at, m.refute.last, m.refute.said, m.refute.raised = overlay.Never, m.now, true, false
	m.sayOwn()
}

// sayOwn broadcasts this node's word on itself.
func (m *Machine) sayOwn() {
	m.recount()
	e := m.self().entry(m.now)
	e.Age, e.Proof = 0, m.proof
	if m.left {
		e.State = Left
	}
	m.say(Everybody, Message{Kind: Announce, Entries: []Entry{e}})
}

// pulse has one of all members say its word now and then: it mends the tree that the
// counters follow, in a cluster in which nothing else is broadcast. When many steps are overdue
// the tree is rather broken, and a few more do.
func (m *Machine) pulse(late int) {
	living := float64(m.table.living)
	share := float64(m.cfg.Tick) / float64(m.cfg.Pulse) / living
	if late*lateMany > m.table.living {
		share = pulses / living
	}
	if len(m.links) > 0 && m.rng.Float64() < share {
		m.announce(0)
	}
}

// leave says good-bye, for good until back.
func (m *Machine) leave() {
	if m.left {
		return
	}
	m.left = true
	m.inquiries, m.relays = nil, nil
	m.refute.at, m.refute.raised = overlay.Never, false
	m.sayOwn()
	m.dismiss()
}

// dismiss ends what this node knew of others: who has left does not know who lives.
func (m *Machine) dismiss() {
	for len(m.table.records) > 1 {
		m.drop(m.table.records[len(m.table.records)-1].peer)
	}
	if m.guard.partitioned {
		m.out.Events = append(m.out.Events, overlay.Event{Kind: overlay.Healed})
	}
	m.guard = guard{}
	m.dropNews()
}

// drop forgets a member for good, with its stamp.
func (m *Machine) drop(p overlay.Peer) {
	r := m.table.find(p)
	if r == nil || m.isSelf(p) {
		return
	}
	m.clear(r)
	if r.told == Alive || r.told == Suspect {
		m.emit(overlay.MemberDown, r, overlay.Dropped)
	}
	m.table.remove(p)
	m.closeInquiry(p)
}

// back ends what leave began: this node's own word, with a higher number.
func (m *Machine) back() {
	if !m.left {
		return
	}
	m.left = false
	m.raise()
	m.announce(sweepPeriod)
	for i := range m.links {
		m.meet(&m.links[i])
	}
}
