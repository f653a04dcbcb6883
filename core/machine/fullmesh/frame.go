package fullmesh

import (
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func (m *Machine) frame(peer membership.Peer, data []byte) {
	msg, err := decode(data)
	if err != nil {
		m.rejected++
		return
	}
	r := m.find(peer.Node)
	if r == nil || !r.link.up || r.link.inc != peer.Incarnation {
		m.linkUp(peer)
		r = m.find(peer.Node)
	}
	if r == nil || !r.link.up || r.link.closing || r.link.inc != peer.Incarnation {
		return
	}
	switch msg.kind {
	case kindJoin:
		m.joinedBy(r, peer, true)
	case kindWelcome:
		m.joinedBy(r, peer, false)
	case kindMembers:
		m.listen(r, msg.members)
	case kindLeave:
		m.leftBy(r)
	case kindRefuse:
		m.refusedBy(r, msg)
	}
}

// joinedBy: the peer takes this node for a member and wants to be one.
func (m *Machine) joinedBy(r *record, peer membership.Peer, answer bool) {
	if m.left {
		m.send(r.node, encodeRefuse(refusedLeft, membership.ErrLeft.Error()))
		m.close(r)
		return
	}
	m.alive(r, peer)
	if answer {
		m.send(r.node, bare(kindWelcome))
	}
	m.neighbour(r)
	m.tell(r)
	m.endJoins(r.node, nil)
	if m.syncAt == Never {
		m.syncAt = m.now + m.between(m.cfg.Sync/2, m.cfg.Sync)
	}
}

func (m *Machine) close(r *record) {
	r.link.closing = true
	m.do(Effect{Kind: Disconnect, Node: r.node, Code: transport.CloseLeaving, Reason: membership.ErrLeft.Error()})
}

// tell sends who is alive here, without the listener, but not twice in a moment.
func (m *Machine) tell(r *record) {
	if r.link.listed > m.now-listPause {
		return
	}
	r.link.listed = m.now
	var entries []entry
	for _, other := range m.records {
		if other != r && other.link.joined {
			entries = append(entries, entry{other.node, other.inc, other.endpoints})
		}
	}
	for _, frame := range encodeMembers(entries) {
		m.send(r.node, frame)
	}
}

// sync sends the list to a random neighbour now and then, for what was missed.
func (m *Machine) sync() {
	if m.syncAt > m.now {
		return
	}
	m.syncAt = Never
	var near []*record
	for _, r := range m.records {
		if r.link.joined {
			near = append(near, r)
		}
	}
	if len(near) > 0 {
		m.syncAt = m.now + m.between(m.cfg.Sync/2, m.cfg.Sync)
		m.tell(near[m.rng.IntN(len(near))])
	}
}

// listen takes hearsay: whom a neighbour believes alive.
func (m *Machine) listen(teller *record, entries []entry) {
	if !teller.link.joined {
		return
	}
	unproven := 0
	for _, r := range m.records {
		if !r.met && r.dial.hearsay {
			unproven++
		}
	}
	for _, e := range entries {
		r := m.find(e.node)
		if r == nil && e.node != m.cfg.Self && unproven < maxHearsay && len(m.records)+1 < m.cfg.MaxMembers {
			r = m.insert(e.node)
			unproven++
		}
		if r != nil {
			m.hint(r, e)
		}
	}
}

// hint makes a node that a neighbour named worth a dial soon, and no more than that.
func (m *Machine) hint(r *record, e entry) {
	if r.link.up || r.dial.busy || r.state == membership.Left && e.inc <= r.inc {
		return
	}
	r.dial.hearsay, r.dial.hints = true, slices.Clone(e.endpoints)
	soon := max(m.now, r.dial.last+m.cfg.Retry)
	if r.dial.last == -Never {
		soon = m.now
	}
	r.dial.due = min(r.dial.due, soon+m.between(0, m.cfg.Retry/10))
}

// leftBy: the peer says good-bye; its LinkDown follows.
func (m *Machine) leftBy(r *record) {
	if m.left {
		return
	}
	m.unneighbour(r, ReasonLeft)
	m.departed(r)
	m.endJoins(r.node, membership.ErrLeft)
}

// refusedBy: the peer does not take this node in.
func (m *Machine) refusedBy(r *record, msg message) {
	if m.left {
		return
	}
	m.endJoins(r.node, refusalError(msg))
	if msg.code == refusedLeft {
		m.unneighbour(r, ReasonLeft)
		m.departed(r)
	}
}

func refusalError(msg message) error {
	if msg.code == refusedLeft {
		return fmt.Errorf("%w: join through another node", membership.ErrLeft)
	}
	return fmt.Errorf("%w: %q", ErrRefused, msg.text)
}
