package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// compare tells neighbours the sums, for what was missed: those whose links are new once
// more, and a random one now and then.
func (m *Machine) compare() {
	for i := range m.links {
		if l := &m.links[i]; l.again <= m.now {
			m.compareWith(l)
		}
	}
	if m.compareAt > m.now || len(m.links) == 0 {
		return
	}
	m.compareWith(&m.links[m.rng.IntN(len(m.links))])
	m.rounds = min(m.rounds+1, rarely)
	m.compareAt = m.now + m.nextRound()
}

// rarely is so many rounds that there are no rarer ones.
const rarely = youngRounds + 8

// nextRound is every tick at first, then twice as long each time.
func (m *Machine) nextRound() overlay.Time {
	most := m.between(m.cfg.Compare*3/4, m.cfg.Compare*5/4)
	return min(m.cfg.Tick<<max(m.rounds-youngRounds, 0), most)
}

func (m *Machine) compareWith(l *link) {
	l.again = overlay.Never
	m.say(l.peer, Message{Kind: Compare, Sums: slices.Clone(m.table.sums[:])})
}

// compared answers with the part of the table that differs, and to the one who began
// with the sums: either end may be the one that lacks something.
func (m *Machine) compared(from overlay.Peer, msg *Message) {
	l := m.link(from)
	if l == nil || len(msg.Sums) != buckets {
		m.stats.Strange++
		return
	}
	if slices.Equal(msg.Sums, m.table.sums[:]) {
		return
	}
	if msg.Kind == Compare {
		m.say(from, Message{Kind: Differ, Sums: slices.Clone(m.table.sums[:])})
	}
	if m.now < l.table {
		m.makeUp(l)
		return
	}
	l.fresh = false
	var entries []Entry
	for i := range m.table.records {
		r := &m.table.records[i]
		if b := m.table.bucket(r.peer); msg.Sums[b] != m.table.sums[b] && m.provable(r) {
			entries = append(entries, r.bare(m.now))
		}
	}
	l.table = m.now + min(tableEach*overlay.Time(len(entries)), tablePause)
	m.sayAll(from, Table, entries)
}

// makeUp: the table may not be sent now. If it holds more than when it was, the link is
// compared again when it may. Nothing but another signature makes it hold more, so this ends.
func (m *Machine) makeUp(l *link) {
	if l.fresh {
		l.again = min(l.again, l.table)
	}
}

// provable reports whether this node could answer who wants to know more of a member.
func (m *Machine) provable(r *record) bool {
	return r.proof != nil || !r.up() || m.isSelf(r.peer)
}

func (m *Machine) sayAll(to overlay.Peer, k Kind, entries []Entry) {
	for chunk := range slices.Chunk(entries, maxEntries) {
		m.say(to, Message{Kind: k, Entries: chunk})
	}
}

// tabled looks at a neighbour's table: whom does it know that this node does not, and
// whom does it take for down that is alive.
func (m *Machine) tabled(from overlay.Peer, msg *Message) {
	l := m.link(from)
	if l == nil {
		m.stats.Strange++
		return
	}
	var want, doubt []Entry
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		r := m.table.find(e.Peer)
		switch {
		case m.lacks(r, e):
			if m.mayAsk(l, e) {
				want = append(want, Entry{Peer: e.Peer, ID: e.ID, State: e.State, Inc: e.Inc, Ref: e.Ref})
			}
		case r == nil && m.comesBack(e):
			doubt = append(doubt, m.revive(e.Peer))
		case r == nil || r.stamp(e.Inc, e.Ref) != 0 || !r.up():
		case e.State == Down && r.state == Suspect: // its obituary has it speak
		case e.State == Down && m.now-r.doubted >= doubtPause:
			r.doubted = m.now
			doubt = append(doubt, Entry{Peer: e.Peer, State: Down, Inc: e.Inc, Ref: e.Ref})
		case e.State != Down:
			m.moves(r, e.Count, m.now-e.Age)
		}
	}
	m.sayAll(from, Want, want)
	m.spreadDoubt(doubt)
}

// comesBack reports whether a member was given up here for good and seems to live.
// Nothing is kept of such a member that could say when it was doubted last.
func (m *Machine) comesBack(e *Entry) bool {
	if m.revived[e.Peer] || len(m.revived) >= maxEntries {
		return false
	}
	return (e.State == Alive || e.State == Suspect) && e.Age <= m.patience() && m.marks.past(e.Peer, e.Inc, e.Ref)
}

// revive is the doubt about a member that was given up, of the stamp that it had last
// here: only if it still has that one, others' words on it count for nothing.
func (m *Machine) revive(p overlay.Peer) Entry {
	m.revived[p] = true
	k := m.marks.byPeer[p]
	return Entry{Peer: p, State: Down, Inc: k.inc, Ref: k.ref}
}

// pauseRevival forgets in time who was doubted.
func (m *Machine) pauseRevival() {
	if m.reviveAt <= m.now {
		clear(m.revived)
		m.reviveAt = m.now + doubtPause
	}
}

// lacks reports whether a neighbour's entry is news that its member must prove.
func (m *Machine) lacks(r *record, e *Entry) bool {
	switch {
	case e.Inc > m.cfg.MaxInc || e.State == Down || e.State == Unknown:
		return false
	case r == nil:
		return e.State != Left && !m.spurned.has(m.idOf(e)) && m.roomy() && e.Age <= m.patience() && !m.marks.past(e.Peer, e.Inc, e.Ref)
	case e.State == Left && r.state != Left:
		return r.stamp(e.Inc, e.Ref) >= 0
	case r.stamp(e.Inc, e.Ref) == 0:
		return r.proof == nil && e.State != Left && r.peer != m.self().peer
	}
	return r.stamp(e.Inc, e.Ref) > 0 && !m.isSelf(e.Peer)
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
		if r == nil || r.state == Down || !m.provable(r) {
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
