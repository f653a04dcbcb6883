package membershiphyparview

import (
	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// The first byte of a frame says whose it is; hyparview's is 'H', liveness's 'L'.
const (
	frameView   = 'H'
	frameLife   = 'L'
	frameRecord = 'R' // the sender's own sealed record follows
	frameSeen   = 'O' // the address at which the sender sees the receiver follows, as text
)

// input takes one thing that happened.
func (m *mind) input(in *membership.Input) {
	switch in.Kind {
	case membership.LinkUp:
		m.linkUp(in.Peer)
	case membership.LinkMoved:
		if e := m.book.byNode[in.Peer.Node]; e != nil && e.linked == in.Peer.Incarnation && e != m.book.self {
			m.tellSeen(e, in.Peer.Remote)
		}
	case membership.LinkDown:
		m.linkDown(in)
	case membership.Frame:
		if e := m.book.byNode[in.Peer.Node]; e != nil && e.linked == in.Peer.Incarnation && e != m.book.self {
			m.frame(e, in.Data)
		}
	case membership.Broadcast:
		m.book.checks.from = m.book.byNode[in.Peer.Node]
		m.said(in.Data)
		m.book.checks.from = nil
	case membership.Tree:
		m.follow(in.Nodes)
	}
}

// linkUp introduces this node before anything else is said on the link, so that the
// peer can hand on who this is.
func (m *mind) linkUp(p membership.Peer) {
	if p.Node == m.env.Node || p.Incarnation == 0 {
		return
	}
	e := m.book.met(p)
	e.member = false
	m.introduce(e)
	m.tellSeen(e, p.Remote)
	m.view(overlay.Input[hyparview.Message]{Kind: overlay.InLinkUp, Peer: e.peer, Inc: p.Incarnation})
}

// tellSeen tells a peer where it is seen.
func (m *mind) tellSeen(e *entry, at name.Address) {
	if !at.IsZero() {
		m.acts = append(m.acts, act{kind: actSend, node: e.node, data: append([]byte{frameSeen}, at.String()...)})
	}
}

// introduce shows this node's record to a peer.
func (m *mind) introduce(e *entry) {
	m.reseal()
	m.acts = append(m.acts, act{kind: actSend, node: e.node, data: append([]byte{frameRecord}, m.book.self.sealed...)})
}

func (m *mind) linkDown(in *membership.Input) {
	e := m.book.byNode[in.Peer.Node]
	if e == nil || e.linked != in.Peer.Incarnation || e.linked == 0 {
		return // of a life before the one that is linked
	}
	e.linked, e.seenAs, e.member = 0, "", false
	m.link(overlay.InLinkDown, e.peer, in.Peer.Incarnation, in.Code)
}

// frame takes what a peer says to this node.
func (m *mind) frame(e *entry, data []byte) {
	m.book.checks.from = e
	defer func() { m.book.checks.from = nil }()
	switch kind := first(data); {
	case kind == frameRecord:
		m.introduced(e, data[1:])
	case kind == frameSeen:
		m.seen(e, string(data[1:]))
	default:
		m.heard(e, data)
	}
}

// first is the byte that says what a frame is.
func first(data []byte) byte {
	if len(data) == 0 {
		return 0
	}
	return data[0]
}

// heard takes a frame for one of the machines.
func (m *mind) heard(e *entry, data []byte) {
	switch first(data) {
	case frameView:
		msg, err := hyparview.Decode(data, viewBook{m.book})
		if err != nil {
			m.book.refuse.forged++
			return
		}
		if !e.member && msg.Kind != hyparview.Reply { // who has left still has to say so
			m.book.refuse.foreign++
			return
		}
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InMsg, Peer: e.peer, Inc: e.linked, Msg: msg})
	case frameLife:
		if msg, ok := m.decodeLife(data); ok && e.member {
			m.life(overlay.Input[liveness.Message]{Kind: overlay.InMsg, Peer: e.peer, Inc: e.linked, Msg: msg})
		}
	default:
		m.book.refuse.forged++
	}
}

// introduced takes a peer's own record: it proves to others what the link proved here,
// and that the peer takes part. One that only visits shows none. One that leaves shows
// another, that says so.
func (m *mind) introduced(e *entry, sealed []byte) {
	record, sig, ok := member.Split(sealed)
	if !ok {
		m.book.refuse.forged++
		return
	}
	who, r, ok := m.book.learn(record, sig)
	if !ok || who != e || r.Incarnation != e.linked {
		return
	}
	entry := liveness.Entry{
		Peer: e.peer, State: liveness.Left, Inc: r.Incarnation, Ref: r.Ref, Verified: true,
		Proof: &liveness.Proof{Record: record, Sig: sig},
	}
	if !r.Left {
		entry.State, e.member = liveness.Alive, true
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InLinkUp, Peer: e.peer, Inc: e.linked})
	}
	m.life(overlay.Input[liveness.Message]{Kind: overlay.InMsg, Peer: e.peer, Inc: e.linked,
		Msg: liveness.Message{Kind: liveness.Records, Entries: []liveness.Entry{entry}}})
}

// said takes a broadcast. Three kinds of words are for everybody; anything else would
// be answered to everybody as well.
func (m *mind) said(data []byte) {
	msg, ok := m.decodeLife(data)
	if !ok {
		return
	}
	switch msg.Kind {
	case liveness.Announce, liveness.Obituary, liveness.Doubt:
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InMsg, Msg: msg})
	default:
		m.book.refuse.forged++
	}
}

// decodeLife decodes a message of liveness and checks what is signed in it.
func (m *mind) decodeLife(data []byte) (liveness.Message, bool) {
	msg, err := liveness.Decode(data, lifeBook{m.book})
	if err != nil {
		m.book.refuse.forged++
		return msg, false
	}
	if msg.Kind == liveness.Obituary {
		msg.Verified = m.signedBy(msg.Peer, data)
	}
	return msg, true
}

// signedBy checks the signature of an obituary.
func (m *mind) signedBy(observer overlay.Peer, data []byte) bool {
	body, sig, ok := liveness.Detach(data)
	e := m.book.node(observer)
	if !ok || e == nil || e.key.IsZero() || len(sig) != member.SigSize {
		return false
	}
	if !m.book.checks.spend() {
		m.book.refuse.hasty++
		return false
	}
	return trust.Verify(e.key, trust.ForMembership, body, [member.SigSize]byte(sig))
}

// follow tells liveness which links the counters take.
func (m *mind) follow(nodes []name.Node) {
	peers := make([]overlay.Peer, 0, len(nodes))
	for _, node := range nodes {
		if e := m.book.byNode[node]; e != nil {
			peers = append(peers, e.peer)
		}
	}
	m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: liveness.OpTree, Peers: peers}})
}
