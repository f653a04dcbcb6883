package membershiphyparview

import (
	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// viewEvent tells what hyparview found out.
func (m *mind) viewEvent(e *overlay.Event) {
	switch e.Kind {
	case overlay.PeerUp:
		m.tell(membership.PeerUp, e, "")
		m.touched = append(m.touched, e.Peer)
	case overlay.PeerDown:
		m.tell(membership.PeerDown, e, reasonText(e.Reason))
		m.touched = append(m.touched, e.Peer)
	case overlay.Joined:
		m.joined(e.Peer, nil)
	case overlay.JoinFailed:
		m.joined(e.Peer, m.joinError(e.Peer, e.Reason))
	case overlay.Isolated:
		m.alone(true)
	case overlay.Connected:
		m.alone(false)
	}
}

// alone tells whether this node has neighbours. One that left wants none.
func (m *mind) alone(isolated bool) {
	if m.hv.HasLeft() {
		return
	}
	m.isolated = isolated
	if isolated {
		m.tellOwn(membership.Isolated, "no neighbours are left")
	} else {
		m.tellOwn(membership.Connected, "")
	}
}

// lifeEvent tells what liveness found out; hyparview does not call the dead,
// and looks for paths to those of whom nothing is heard.
func (m *mind) lifeEvent(e *overlay.Event) {
	switch e.Kind {
	case overlay.MemberUp:
		m.news = true
		m.tell(membership.MemberUp, e, "")
	case overlay.MemberSuspect:
		m.tell(membership.MemberSuspect, e, reasonText(e.Reason))
	case overlay.MemberDown:
		m.tell(membership.MemberDown, e, reasonText(e.Reason))
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpDown, Peer: e.Peer}})
	case overlay.MemberLeft:
		m.tell(membership.MemberLeft, e, "left")
	case overlay.Unheard:
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpReach, Peers: []overlay.Peer{e.Peer}}})
	case overlay.Partitioned:
		m.partitioned = true
		m.tellOwn(membership.Partitioned, "many members went at once")
	case overlay.Healed:
		m.partitioned = false
		m.tellOwn(membership.Healed, "")
	}
}

func (m *mind) tell(t membership.EventType, e *overlay.Event, reason string) {
	who := m.book.node(e.Peer)
	if who == nil {
		return
	}
	m.acts = append(m.acts, act{kind: actEmit, event: membership.Event{
		Type: t, Node: who.node, Incarnation: e.Inc, Endpoints: clip(who.endpoints), Reason: reason,
	}})
}

func (m *mind) tellOwn(t membership.EventType, reason string) {
	m.acts = append(m.acts, act{kind: actEmit, event: membership.Event{
		Type: t, Node: m.env.Node, Incarnation: m.env.Incarnation, Reason: reason,
	}})
}

// reasonText is the word for why somebody went.
func reasonText(why overlay.Reason) string {
	switch why {
	case overlay.Lost:
		return "lost"
	case overlay.Leaving:
		return "left"
	case overlay.Stopping:
		return "stopped"
	}
	return why.String()
}
