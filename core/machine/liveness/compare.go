package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// compare tells a random neighbour the sums now and then, for what was missed.
func (m *Machine) compare() {
	if m.compareAt > m.now || len(m.links) == 0 {
		return
	}
	m.compareAt = m.now + m.between(m.cfg.Compare*3/4, m.cfg.Compare*5/4)
	p := m.links[m.rng.IntN(len(m.links))].peer
	m.say(p, Message{Kind: Compare, Sums: slices.Clone(m.table.sums[:])})
}

// compared answers with the part of the table that differs.
func (m *Machine) compared(from overlay.Peer, msg *Message) {
	l := m.link(from)
	if l == nil || len(msg.Sums) != buckets {
		m.stats.Strange++
		return
	}
	if m.now-l.tabled < tablePause || slices.Equal(msg.Sums, m.table.sums[:]) {
		return
	}
	l.tabled = m.now
	var entries []Entry
	for i := range m.table.records {
		if r := &m.table.records[i]; msg.Sums[m.table.bucket(r.peer)] != m.table.sums[m.table.bucket(r.peer)] {
			e := r.entry(m.now)
			e.Proof = nil
			entries = append(entries, e)
		}
	}
	m.sayAll(from, Table, entries)
}

func (m *Machine) sayAll(to overlay.Peer, k Kind, entries []Entry) {
	for chunk := range slices.Chunk(entries, maxEntries) {
		m.say(to, Message{Kind: k, Entries: chunk})
	}
}

// tabled looks at a neighbour's table: whom does it know that this node does not, and
// whom does it take for down that is alive.
func (m *Machine) tabled(from overlay.Peer, msg *Message) {
	if m.link(from) == nil {
		m.stats.Strange++
		return
	}
	var want, doubt []Entry
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		r := m.table.find(e.Peer)
		switch {
		case m.lacks(r, e):
			want = append(want, Entry{Peer: e.Peer, State: e.State, Inc: e.Inc, Ref: e.Ref})
		case r == nil && m.comesBack(e):
			doubt = append(doubt, Entry{Peer: e.Peer, State: Down, Inc: e.Inc, Ref: e.Ref})
		case r == nil || r.stamp(e.Inc, e.Ref) != 0 || !r.up():
		case e.State == Down && m.now-r.doubted >= doubtPause:
			r.doubted = m.now
			doubt = append(doubt, Entry{Peer: e.Peer, State: Down, Inc: e.Inc, Ref: e.Ref})
		case e.State != Down && e.Count > r.count && e.Count-r.first <= m.plausible(r):
			r.count, r.moved = e.Count, max(r.moved, m.now-e.Age)
		}
	}
	m.sayAll(from, Want, want)
	m.spreadDoubt(doubt)
}

// comesBack reports whether a member was given up here for good and seems to live.
func (m *Machine) comesBack(e *Entry) bool {
	return (e.State == Alive || e.State == Suspect) && e.Age <= m.patience() && m.marks.past(e.Peer, e.Inc, e.Ref)
}

// lacks reports whether a neighbour's entry is news that its member must prove.
func (m *Machine) lacks(r *record, e *Entry) bool {
	switch {
	case e.Inc > m.cfg.MaxInc || e.State == Down || e.State == Unknown:
		return false
	case r == nil:
		return e.State != Left && e.Age <= m.patience() && !m.marks.past(e.Peer, e.Inc, e.Ref)
	case e.State == Left && r.state != Left:
		return r.stamp(e.Inc, e.Ref) >= 0
	case r.stamp(e.Inc, e.Ref) == 0:
		return r.proof == nil && e.State != Left && r.peer != m.self().peer
	}
	return r.stamp(e.Inc, e.Ref) > 0 && !m.isSelf(e.Peer)
}

// spreadDoubt has members speak that somebody takes for down. This node itself may be
// one of them.
func (m *Machine) spreadDoubt(doubt []Entry) {
	for i := range doubt {
		if m.isSelf(doubt[i].Peer) {
			m.speak(overlay.Nobody, &doubt[i])
		}
	}
	m.sayAll(Everybody, Doubt, doubt)
}

// wanted sends proofs to a neighbour.
func (m *Machine) wanted(from overlay.Peer, msg *Message) {
	if m.link(from) == nil {
		m.stats.Strange++
		return
	}
	var entries []Entry
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		r := m.table.find(msg.Entries[i].Peer)
		if r == nil || r.state == Down {
			continue
		}
		e := r.entry(m.now)
		if e.State == Suspect {
			e.State = Alive
		}
		if m.isSelf(r.peer) {
			e.Proof = m.proof
		}
		entries = append(entries, e)
	}
	for chunk := range slices.Chunk(entries, maxProofs) {
		m.say(from, Message{Kind: Records, Entries: chunk})
	}
}
