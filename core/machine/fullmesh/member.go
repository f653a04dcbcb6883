package fullmesh

import (
	"slices"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Reasons that events carry, besides the words of transport.CloseCode.
const (
	ReasonLeft        = "left"
	ReasonStopped     = "stopped"
	ReasonLost        = "lost"
	ReasonRestarted   = "restarted"
	ReasonUnreachable = "unreachable"
	ReasonGone        = "this node left"
)

// reason is the word for why a link fell.
func reason(code transport.CloseCode) string {
	switch code {
	case transport.CloseNone:
		return ReasonLost
	case transport.CloseLeaving:
		return ReasonLeft
	case transport.CloseStopping:
		return ReasonStopped
	}
	return code.String()
}

func (m *Machine) emit(t membership.EventType, r *record, why string) {
	m.out.Changed = true
	m.do(Effect{Kind: Emit, Event: membership.Event{
		Type: t, Node: r.node, Incarnation: r.inc, Endpoints: slices.Clone(r.endpoints), Reason: why,
	}})
}

func (m *Machine) set(r *record, s membership.State) {
	r.state, r.since, r.until = s, m.now, Never
	m.out.Changed = true
}

// alive: the node said so itself, over a link at that incarnation.
func (m *Machine) alive(r *record, peer membership.Peer) {
	fresh := r.state != membership.Alive || r.inc != peer.Incarnation
	r.met, r.inc, r.key = true, peer.Incarnation, peer.Key
	m.heard(r, peer)
	r.dial.tries, r.dial.due, r.dial.hearsay, r.dial.hints = 0, Never, false, nil
	if fresh {
		m.set(r, membership.Alive)
		m.emit(membership.MemberUp, r, "")
	}
}

// heard notes where the node says it can be dialed.
func (m *Machine) heard(r *record, peer membership.Peer) {
	if len(peer.Endpoints) > 0 && !slices.Equal(clip(peer.Endpoints), r.endpoints) {
		r.endpoints = slices.Clone(clip(peer.Endpoints))
		m.out.Changed = true
	}
}

// suspect: the link fell and nobody said good-bye.
func (m *Machine) suspect(r *record, why string) {
	if r.state != membership.Alive {
		return
	}
	m.set(r, membership.Suspect)
	r.until = m.now + m.cfg.Suspect
	r.dial.tries, r.dial.due = 0, m.now+m.between(0, m.cfg.Retry/4)
	m.emit(membership.MemberSuspect, r, why)
}

// down: unreachable, stopped, or followed by a later life.
func (m *Machine) down(r *record, why string) {
	if !r.up() {
		return
	}
	m.set(r, membership.Down)
	r.until = m.now + m.cfg.ForgetDown
	r.dial.tries = 0
	r.dial.due = m.now + m.backoff(r)
	m.emit(membership.MemberDown, r, why)
}

// departed: the node itself said good-bye.
func (m *Machine) departed(r *record) {
	r.dial.due, r.dial.hearsay = Never, false
	switch r.state {
	case "":
		r.met = false // nothing to remember, nobody to dial
		return
	case membership.Left:
		return
	}
	m.set(r, membership.Left)
	r.until = m.now + m.cfg.ForgetLeft
	m.emit(membership.MemberLeft, r, ReasonLeft)
}

// forget takes a node off the list. One that was down is dialed on.
func (m *Machine) forget(r *record) {
	m.set(r, "")
}

// neighbour begins, unneighbour ends, a node's time in the active view.
func (m *Machine) neighbour(r *record) {
	if r.link.joined {
		return
	}
	r.link.joined = true
	m.do(Effect{Kind: Hold, Node: r.node})
	m.emit(membership.PeerUp, r, "")
}

func (m *Machine) unneighbour(r *record, why string) {
	if !r.link.joined {
		return
	}
	r.link.joined = false
	m.do(Effect{Kind: Release, Node: r.node})
	m.emit(membership.PeerDown, r, why)
}
