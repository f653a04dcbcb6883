package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// link is a link that this node has.
type link struct {
	peer   overlay.Peer
	inc    uint64
	since  overlay.Time
	noted  overlay.Time   // when the peer was told that it counts as down
	again  overlay.Time   // when to compare once more
	spoke  overlay.Time   // when a step of the peer, from itself, was passed on last
	table  overlay.Time   // before that, the table is not sent again
	fresh  bool           // something was learned since it was sent
	wanted int            // records asked for in this tick
	deaf   overlay.Time   // until then, what it is asked for is asked of others as well
	news   []overlay.Peer // whom to tell of, one more than fewNews at most
}

func (m *Machine) link(p overlay.Peer) *link {
	for i := range m.links {
		if m.links[i].peer == p {
			return &m.links[i]
		}
	}
	return nil
}

// linked reports whether this node has a link to that very life of a member.
func (m *Machine) linked(r *record) bool {
	l := m.link(r.peer)
	return l != nil && l.inc == r.inc
}

// linkUp: the handshake proved that life of the peer. That is the best proof there is,
// and the peer learns at once if it counts as down here.
func (m *Machine) linkUp(p overlay.Peer, inc uint64) {
	if m.isSelf(p) || p == overlay.Nobody || inc > m.cfg.MaxInc {
		return
	}
	if l := m.link(p); l != nil {
		l.inc = inc
	} else {
		m.links = append(m.links, link{peer: p, inc: inc, since: m.now, noted: longAgo, spoke: longAgo, deaf: longAgo, again: overlay.Never, table: longAgo})
	}
	if m.left {
		return
	}
	if len(m.links) == 1 {
		m.announce(m.between(sweepPeriod, 2*sweepPeriod))
	}
	m.closeInquiry(p)
	m.meet(m.link(p))
}

// meet begins to talk over a link. What either end learns while the link is being made
// may pass the other by, so they compare twice.
func (m *Machine) meet(l *link) {
	m.met(l.peer, l.inc)
	m.sayStep(l.peer)
	m.compareWith(l)
	l.again = m.now + m.cfg.Tick
	m.inquireOf(l.peer)
}

// met: proof of that life of a member, seen with this node's own eyes.
func (m *Machine) met(p overlay.Peer, inc uint64) {
	r := m.table.find(p)
	switch {
	case r == nil:
		if k, over := m.marks.byPeer[p]; over && k.inc == inc {
			m.note(p, &record{peer: p, inc: k.inc, ref: k.ref})
		}
		m.admit(&Entry{Peer: p, State: Alive, Inc: inc})
	case inc > r.inc:
		m.alive(&Entry{Peer: p, State: Alive, Inc: inc})
	case inc == r.inc && r.state == Suspect:
		m.vouch(r)
	case inc == r.inc && r.state == Down:
		m.table.change(r, func() { r.state = Alive })
		r.since, r.moved, r.held, r.expired = m.now, m.now, false, false
		m.tell(r, 0)
		m.note(p, r)
	}
}

// vouch ends a suspicion that this node knows to be wrong.
func (m *Machine) vouch(r *record) {
	m.table.change(r, func() { r.state = Alive })
	r.since = m.now
	m.clear(r)
	m.tell(r, 0)
}

// note tells a peer that it counted as down, so that it says otherwise to all.
func (m *Machine) note(p overlay.Peer, r *record) {
	if l := m.link(p); l != nil && m.now-l.noted >= doubtPause {
		l.noted = m.now
		m.say(p, Message{Kind: Doubt, Entries: []Entry{{Peer: r.peer, State: Down, Inc: r.inc, Ref: r.ref}}})
	}
}

// remind tells neighbours that count as down so, again.
func (m *Machine) remind() {
	for _, l := range m.links {
		if r := m.table.find(l.peer); r != nil && r.state == Down && r.inc == l.inc {
			m.note(l.peer, r)
		}
	}
}

func (m *Machine) linkDown(p overlay.Peer, inc uint64, why overlay.Reason) {
	l := m.link(p)
	if l == nil || l.inc > inc {
		return
	}
	r := m.table.find(p)
	if r != nil && r.inc == l.inc && !overlay.Evidence(why) {
		r.moved = max(r.moved, m.now-m.patience()/3) // it was there until now
	}
	m.unlink(p)
	if m.left || r == nil || r.inc != inc || !r.up() || !overlay.Evidence(why) {
		return
	}
	if s := r.suspicion; s != nil && m.now-s.since <= m.cfg.SuspectMax {
		m.begin(r) // the others were right
	}
	m.inquire(r, why)
}

func (m *Machine) unlink(p overlay.Peer) {
	m.links = slices.DeleteFunc(m.links, func(l link) bool { return l.peer == p })
	m.tree = slices.DeleteFunc(m.tree, func(t overlay.Peer) bool { return t == p })
}
