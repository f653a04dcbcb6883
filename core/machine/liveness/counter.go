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

// A tag is what a step says of the stamp that it counts for: the low bits of the incarnation,
// and below them those of the refutation.
const (
	refBits = 4
	refMask = 1<<refBits - 1
)

func tag(inc uint64, ref uint32) uint16 { return uint16(inc)<<refBits | uint16(ref&refMask) }

// ahead is how many refutations after that of the record a tag is of, as far as its bits can say;
// 0 if it is of that very one. ok is false if it is of another life, or of the past.
func (r *record) ahead(of uint16) (refs uint32, ok bool) {
	if (of^uint16(r.inc)<<refBits)>>refBits != 0 {
		return 0, false
	}
	refs = (uint32(of) - r.ref) & refMask
	return refs, refs <= refMask/2
}

// stepCounter says that this node still is there.
func (m *Machine) stepCounter() {
	if m.stepAt > m.now {
		return
	}
	m.stepAt = max(m.stepAt+m.period(), m.now)
	m.count++
	me := m.self()
	me.moved = m.now
	if m.counted == me.ref {
		me.count = m.count
	}
	m.steps = append(m.steps, step{Count: m.ownStep(), at: m.now, from: me.peer})
}

// recount begins to count anew: this node says a stamp for the first time, and whoever hears it
// forgets what was said of the counter before.
func (m *Machine) recount() {
	if me := m.self(); m.counted != me.ref {
		m.counted, m.count = me.ref, 0
	}
}

// ownStep is how far this node has counted, for the stamp that it said last.
func (m *Machine) ownStep() Count {
	me := m.self()
	return Count{Peer: me.peer, Count: m.count, Tag: tag(me.inc, m.counted), Age: tenths(m.now - me.moved)}
}

// tenths is an age as it travels.
func tenths(age overlay.Time) uint8 { return uint8(min(age/tenth, 255)) }

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
			c.Age = tenths(m.now - s.at)
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
	m.say(p, Message{Kind: Counters, Counts: []Count{m.ownStep()}})
}

// counters takes steps from a neighbour. They are not signed: what they can do is keep
// a member on the list that is gone, for as long as somebody forges; they cannot bring one back.
func (m *Machine) counters(from overlay.Peer, msg *Message) {
	l := m.link(from)
	if l == nil {
		m.stats.Strange++
		return
	}
	var want []Entry
	for _, c := range msg.Counts[:min(len(msg.Counts), maxCounts)] {
		r := m.table.find(c.Peer)
		if r == nil || m.isSelf(c.Peer) {
			continue
		}
		switch refs, ok := r.ahead(c.Tag); {
		case !ok:
		case refs > 0: // it has spoken since, and this node did not hear it
			if e := (Entry{Peer: r.peer, State: Alive, Inc: r.inc, Ref: r.ref + refs}); m.mayAsk(l, &e) {
				want = append(want, e)
			}
		case !r.up():
		case c.Peer == from && l.inc == r.inc:
			m.ownWord(l, r, c)
		default:
			m.stepped(r, c, from)
		}
	}
	m.sayAll(from, Want, want)
}

// ownWord takes the step of a member from the member itself: so far it has counted, whatever
// others said.
func (m *Machine) ownWord(l *link, r *record, c Count) {
	at := m.now - overlay.Time(c.Age)*tenth
	news := r.count != c.Count && m.now-l.spoke >= m.cfg.Tick
	r.count, r.base, r.moved = c.Count, m.now-m.slack(), max(r.moved, at)
	if news {
		l.spoke = m.now
		m.steps = append(m.steps, step{Count: c, at: at, from: l.peer})
	}
}

// stepped takes a step of a member from somebody else.
func (m *Machine) stepped(r *record, c Count, from overlay.Peer) {
	at := m.now - overlay.Time(c.Age)*tenth
	if m.moves(r, c.Count, at) {
		m.steps = append(m.steps, step{Count: c, at: at, from: from})
	}
}

// moves puts a counter forward, unless that is no news or more than it can have made; it
// reports whether it did.
func (m *Machine) moves(r *record, count uint32, at overlay.Time) bool {
	each := m.period() / 2
	steps := overlay.Time(count) - overlay.Time(r.count)
	switch {
	case steps <= 0:
		return false
	case steps > (m.now-r.base)/each:
		m.stats.Ahead++
		return false
	}
	r.count, r.moved = count, max(r.moved, at)
	r.base = max(r.base+steps*each, m.now-m.slack())
	return true
}

// slack is the time that a counter may be ahead of, at twice the speed that it has.
func (m *Machine) slack() overlay.Time { return counterSlack * m.period() / 2 }

// stale answers with the steps that a neighbour has missed.
func (m *Machine) stale(from overlay.Peer, msg *Message) {
	if m.link(from) == nil {
		m.stats.Strange++
		return
	}
	var counts []Count
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		r := m.table.find(e.Peer)
		switch {
		case r == nil || r.inc != e.Inc || !r.up():
		case m.isSelf(r.peer):
			counts = append(counts, m.ownStep())
		case r.ref > e.Ref || r.ref == e.Ref && r.count > e.Count:
			counts = append(counts, Count{Peer: r.peer, Count: r.count, Tag: tag(r.inc, r.ref), Age: tenths(m.now - r.moved)})
		}
	}
	if len(counts) > 0 {
		m.say(from, Message{Kind: Counters, Counts: counts})
	}
}
