package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Stats counts what happened since the machine was made, and what there is now.
type Stats struct {
	Inquiries, Indirect, Obituaries uint64 // looks begun; ended by a helper; in vain
	Downs, Expired                  uint64 // members that fell: by suspicion, by counter
	Refuted, Vouched                uint64 // own refutations; suspicions that a link of this node's own disproves
	Stalls                          uint64 // times this node was asleep
	Unverified, Strange             uint64 // refused: without proof; by or about those who are not known
	Future, Stale, Ahead            uint64 // refused: stamps nobody gave yet; of the past; counters too fast
	Cut, Full                       uint64 // refused: beyond a quota; no room in the table
	Twins                           uint64 // words of this node that this node did not say
	Living, Down, Left, Suspects    int    // now
	Watermarks, Health              int
	Holding, Partitioned            bool
}

// Stats returns the counts.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Living, s.Down, s.Suspects = m.table.living, m.table.down, len(m.suspects)
	s.Left = len(m.table.records) - s.Living - s.Down
	s.Watermarks, s.Health = len(m.marks.queue), m.health.score
	s.Holding, s.Partitioned = m.guard.holding, m.guard.partitioned
	return s
}

// Member is what is known of a member, for those who ask.
type Member struct {
	Peer  overlay.Peer
	Inc   uint64
	State State
	Since overlay.Time
	Held  bool // down, and not told as an event yet
	Proof *Proof
}

// Members calls see for every member, this node first, in no order that means anything
// but the same for equal inputs.
func (m *Machine) Members(see func(Member)) {
	for i := range m.table.records {
		r := &m.table.records[i]
		see(Member{Peer: r.peer, Inc: r.inc, State: r.state, Since: r.since, Held: r.held, Proof: r.proof})
	}
}

// Member looks one up; its State is Unknown if it is not known.
func (m *Machine) Member(p overlay.Peer) Member {
	r := m.table.find(p)
	if r == nil {
		return Member{Peer: p}
	}
	return Member{Peer: r.peer, Inc: r.inc, State: r.state, Since: r.since, Held: r.held, Proof: r.proof}
}

// Awaits reports whether a member's own word is urgent: it is not taken for alive, or was asked to
// speak a moment ago.
func (m *Machine) Awaits(p overlay.Peer) bool {
	r := m.table.find(p)
	return r != nil && (r.state == Suspect || r.state == Down || m.now-r.doubted < doubtPause)
}

// Past reports whether a stamp is no news of a member.
func (m *Machine) Past(p overlay.Peer, inc uint64, ref uint32) bool {
	r := m.table.find(p)
	return r != nil && r.stamp(inc, ref) <= 0
}

// Knows reports whether the machine may ever speak of p again by itself, or remembers
// the stamp of its last life: a host that gives out numbers may take back the others.
func (m *Machine) Knows(p overlay.Peer) bool {
	_, past := m.marks.byPeer[p]
	return past || m.table.find(p) != nil || m.link(p) != nil
}

// Stamp is the refutation of this node's own stamp, and whether it has left: what its
// record has to say.
func (m *Machine) Stamp() (ref uint32, left bool) { return m.self().ref, m.left }

// Known is what a next life may be given, or a node that is to know the same members.
func (m *Machine) Known() []Entry {
	var all []Entry
	for i := range m.table.records {
		if r := &m.table.records[i]; i > 0 && r.up() {
			e := r.entry(m.now)
			e.State = Alive
			all = append(all, e)
		}
	}
	return all
}
