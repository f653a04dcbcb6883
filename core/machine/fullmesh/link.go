package fullmesh

import (
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func (m *Machine) linkUp(peer membership.Peer) {
	r := m.admit(peer)
	if r == nil || m.left {
		return
	}
	gone := r.state == membership.Left && r.inc == peer.Incarnation
	if gone && !m.awaited(r.node) {
		return // it left; if it wants to be back, it speaks first
	}
	m.send(r.node, bare(kindJoin))
}

// admit notes the link to peer and returns its record; nil if peer is of the past, or
// one too many, and was turned away.
func (m *Machine) admit(peer membership.Peer) *record {
	if peer.Node == m.cfg.Self || peer.Node.IsZero() {
		return nil
	}
	r := m.ensure(peer.Node)
	if r == nil {
		m.turnAway(peer, refusedFull, fmt.Sprintf("%d members are the most here; raise max_members", m.cfg.MaxMembers))
		return nil
	}
	if r.past(peer) {
		if !r.link.up {
			m.turnAway(peer, refusedStale, fmt.Sprintf("incarnation %d is over, %d is known", peer.Incarnation, r.inc))
		}
		return nil
	}
	m.supersede(r, peer)
	r.link.up, r.link.closing, r.link.verify, r.link.inc = true, false, false, peer.Incarnation
	if !r.met || r.inc <= peer.Incarnation {
		m.heard(r, peer)
	}
	r.dial.due = Never
	return r
}

// past reports whether peer is a life of the node before the one known.
func (r *record) past(peer membership.Peer) bool {
	return r.met && peer.Incarnation < r.inc || r.link.up && peer.Incarnation < r.link.inc
}

// supersede ends the life before the one that peer is.
func (m *Machine) supersede(r *record, peer membership.Peer) {
	if r.link.up && r.link.inc < peer.Incarnation {
		m.unneighbour(r, ReasonRestarted)
		r.link = newRecord(r.node).link
	}
	if r.met && r.inc < peer.Incarnation {
		m.down(r, ReasonRestarted)
	}
}

func (m *Machine) turnAway(peer membership.Peer, code refusal, text string) {
	m.send(peer.Node, encodeRefuse(code, text))
	m.do(Effect{Kind: Disconnect, Node: peer.Node, Code: transport.CloseRefused, Reason: text})
}

func (m *Machine) linkDown(peer membership.Peer, code transport.CloseCode) {
	r := m.find(peer.Node)
	if r == nil || r.past(peer) {
		return
	}
	if code == transport.CloseDuplicate && r.link.up && !r.link.closing {
		m.verify(r)
		return
	}
	own := r.link.closing
	m.unneighbour(r, reason(code))
	r.link = newRecord(r.node).link
	switch {
	case m.left:
	case own:
		m.reconnect(r)
	default:
		m.lost(r, code)
	}
	m.leaveProgress()
}

// verify asks for a link that should be there anyway.
func (m *Machine) verify(r *record) {
	if !m.left && !r.dial.busy {
		r.link.verify, r.dial.due = true, m.now
	}
}

// reconnect goes on after a link that was closed from here has gone.
func (m *Machine) reconnect(r *record) {
	switch {
	case m.awaited(r.node):
		r.dial.due = m.now
	case r.state != membership.Left:
		m.retry(r)
	}
}

// lost judges a node by how its link ended.
func (m *Machine) lost(r *record, code transport.CloseCode) {
	var why error = &transport.CloseError{Remote: true, Code: code}
	if code == transport.CloseLeaving {
		why = membership.ErrLeft
	}
	m.endJoins(r.node, why)
	switch code {
	case transport.CloseLeaving:
		m.departed(r)
	case transport.CloseStopping:
		m.down(r, ReasonStopped)
	case transport.CloseRestarted:
		m.down(r, ReasonRestarted)
	case transport.CloseIdle:
		m.again(r, 0)
	case transport.CloseDropped:
		m.again(r, m.cfg.RetryMax)
	default:
		m.suspect(r, reason(code))
	}
	if !r.link.up && !r.dial.busy && r.dial.due == Never {
		m.retry(r)
	}
}
