package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// step is a step of a counter that is to be passed on.
type step struct {
	Count
	at   overlay.Time // when it was made, as far as that can be known here
	from overlay.Peer
}

const tenth = 100 * millisecond

// period is how often counters step in a cluster of this size.
func (m *Machine) period() overlay.Time {
	return max(m.cfg.CounterMin, overlay.Time(m.table.living)*overlay.Time(1e9)/overlay.Time(m.cfg.CounterRate))
}

// patience is for how long a counter may stand still.
func (m *Machine) patience() overlay.Time { return m.period() * overlay.Time(m.cfg.Expire) }

// stepCounter says that this node still is there.
func (m *Machine) stepCounter() {
	if m.stepAt > m.now {
		return
	}
	m.stepAt = max(m.stepAt+m.period(), m.now)
	m.count++
	me := m.self()
	me.count, me.moved = m.count, m.now
	m.steps = append(m.steps, step{Count: Count{Peer: me.peer, Count: m.count, Tag: uint16(me.inc)}, at: m.now, from: me.peer})
}

// passCounters sends the steps of the last tick along the tree, but not back; and along
// one other link, in case the tree is broken.
func (m *Machine) passCounters() {
	if len(m.steps) == 0 || len(m.links) == 0 {
		m.steps = m.steps[:0]
		return
	}
	extra := m.links[m.rng.IntN(len(m.links))].peer
	for i := range m.links {
		p := m.links[i].peer
		if m.tree == nil || p == extra || slices.Contains(m.tree, p) {
			m.passTo(p)
		}
	}
	m.steps = m.steps[:0]
}

func (m *Machine) passTo(p overlay.Peer) {
	counts := make([]Count, 0, len(m.steps))
	for i := range m.steps {
		if s := &m.steps[i]; s.from != p && s.Peer != p {
			c := s.Count
			c.Age = uint8(min((m.now-s.at)/tenth, 255))
			counts = append(counts, c)
		}
	}
	for chunk := range slices.Chunk(counts, maxCounts) {
		m.say(p, Message{Kind: Counters, Counts: chunk})
	}
}

// sayStep tells a peer on a new link how far this node has counted. A peer that knew
// nothing of it cannot tell otherwise whether steps that others pass on are true.
func (m *Machine) sayStep(p overlay.Peer) {
	me := m.self()
	m.say(p, Message{Kind: Counters, Counts: []Count{{
		Peer: me.peer, Count: m.count, Tag: uint16(me.inc), Age: uint8(min((m.now-me.moved)/tenth, 255)),
	}}})
}

// counters takes steps from a neighbour. They are not signed: what they can do is keep
// a member on the list that is gone, for as long as somebody forges; they cannot bring one back.
func (m *Machine) counters(from overlay.Peer, msg *Message) {
	if m.link(from) == nil {
		m.stats.Strange++
		return
	}
	for _, c := range msg.Counts[:min(len(msg.Counts), maxCounts)] {
		r := m.table.find(c.Peer)
		if r == nil || c.Count <= r.count || uint16(r.inc) != c.Tag || !r.up() || m.isSelf(c.Peer) {
			continue
		}
		at := m.now - overlay.Time(c.Age)*tenth
		switch ahead := c.Count-r.first > m.plausible(r); {
		case ahead && c.Peer == from:
			r.first, r.base = c.Count, at // its own word: counting begins here
		case ahead:
			m.stats.Ahead++
			continue
		}
		r.count, r.moved = c.Count, max(r.moved, at)
		m.steps = append(m.steps, step{Count: c, at: at, from: from})
	}
}

// stale answers with the steps that a neighbour has missed.
func (m *Machine) stale(from overlay.Peer, msg *Message) {
	if m.link(from) == nil {
		m.stats.Strange++
		return
	}
	var counts []Count
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		if r := m.table.find(e.Peer); r != nil && r.inc == e.Inc && r.count > e.Count && r.up() {
			counts = append(counts, Count{Peer: r.peer, Count: r.count, Tag: uint16(r.inc), Age: uint8(min((m.now-r.moved)/tenth, 255))})
		}
	}
	if len(counts) > 0 {
		m.say(from, Message{Kind: Counters, Counts: counts})
	}
}

// plausible is how many steps a counter can have made since counting began here.
func (m *Machine) plausible(r *record) uint32 {
	return counterSlack + uint32(2*(m.now-r.base)/m.cfg.CounterMin)
}
