package liveness

import (
	"math"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// suspicion is the time in which a member can still say that it lives.
type suspicion struct {
	since     overlay.Time
	observers []overlay.Peer // distinct, at most Config.Observers
}

// timeout is how long a suspicion of so many observers lasts: the more agree, the
// shorter. In a cluster so small that there can be no more observers they are enough.
func (cfg *Config) timeout(observers, living int) time.Duration {
	enough := min(cfg.Observers, living-1)
	if observers >= enough {
		return cfg.SuspectMin
	}
	share := math.Log(float64(observers)) / math.Log(float64(enough))
	d := float64(cfg.SuspectMax) - float64(cfg.SuspectMax-cfg.SuspectMin)*share
	return max(cfg.SuspectMin, time.Duration(d))
}

// accuse tells everybody whom this node does not reach.
func (m *Machine) accuse(dead []Entry) {
	for chunk := range slices.Chunk(dead, maxEntries) {
		m.stats.Obituaries++
		m.say(Everybody, Message{Kind: Obituary, Peer: m.self().peer, Entries: chunk})
		for i := range chunk {
			if r := m.table.find(chunk[i].Peer); r != nil {
				m.suspect(r, m.self().peer)
			}
		}
	}
}

// obituary: a member does not reach others. It counts as one observer, whatever it
// says how often. Whom it says so of answers in any case: others may not know yet that the observer
// itself is down.
func (m *Machine) obituary(msg *Message) {
	observer := m.table.find(msg.Peer)
	switch {
	case !msg.Verified:
		m.stats.Unverified++
		return
	case observer == nil || m.isSelf(msg.Peer):
		m.stats.Strange++
		return
	}
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		r := m.table.find(e.Peer)
		switch {
		case r == nil || e.Peer == msg.Peer:
			m.stats.Strange++
		case m.isSelf(e.Peer):
			m.accused(e)
		case !observer.up():
			m.stats.Strange++
		case r.stamp(e.Inc, e.Ref) > 0:
			m.stats.Future++ // only the member itself raises it
		case r.stamp(e.Inc, e.Ref) < 0 || !r.up():
			m.stats.Stale++
		case r.state == Suspect && len(r.suspicion.observers) == m.cfg.Observers: // more change nothing
		case !m.allowed(msg.Peer):
			m.stats.Cut++
		default:
			m.suspect(r, msg.Peer)
		}
	}
}

// suspect adds an observer. Others' words do not count against a link of this node's
// own; but the member should hear of it.
func (m *Machine) suspect(r *record, observer overlay.Peer) {
	if s := r.suspicion; s == nil || r.state == Alive && m.now-s.since > m.cfg.SuspectMax {
		r.suspicion = &suspicion{since: m.now}
	}
	s := r.suspicion
	if len(s.observers) < m.cfg.Observers && !slices.Contains(s.observers, observer) {
		s.observers = append(s.observers, observer)
	}
	if l := m.link(r.peer); l != nil && l.inc == r.inc {
		m.stats.Vouched++
		m.note(r.peer, r)
		return
	}
	m.begin(r)
}

// begin makes a member suspect.
func (m *Machine) begin(r *record) {
	if r.state != Alive {
		return
	}
	m.suspects = append(m.suspects, r.peer)
	m.table.change(r, func() { r.state = Suspect })
	r.since = m.now
	m.guardFall(r)
	m.tell(r, overlay.Silent)
}

// clear ends a suspicion, however it ended.
func (m *Machine) clear(r *record) {
	if r.suspicion == nil {
		return
	}
	r.suspicion = nil
	m.suspects = slices.DeleteFunc(m.suspects, func(p overlay.Peer) bool { return p == r.peer })
}

// sweepSuspects ends suspicions whose time is up.
func (m *Machine) sweepSuspects() {
	var due []overlay.Peer
	for _, p := range m.suspects {
		r := m.table.find(p)
		if s := r.suspicion; m.now >= s.since+m.cfg.timeout(len(s.observers), m.table.living) && !m.damped(r) {
			due = append(due, p)
		}
	}
	for _, p := range due {
		m.stats.Downs++
		m.down(m.table.find(p), false)
	}
}
