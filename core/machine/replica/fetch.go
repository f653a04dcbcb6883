package replica

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// peer is a linked peer: what is wanted of it, and what it is being sent.
type peer struct {
	node  name.Node
	wants []string // owners, to be pulled from here

	pulling []string     // owners that were pulled and have not come yet; nil: idle
	number  uint64       // of the transfer, so that what is left of earlier ones is told apart
	until   overlay.Time // when it is given up
	reader  ownerlog.Reader

	serves  uint64  // number of the transfer that it asked for
	serving []place // what it pulled here, still to be sent
	current *ownerlog.Serving
	under   []int // sizes of the frames that it was sent and has not answered, in order
	ahead   int   // their sum

	seen map[uint64]overlay.Time // its searches that were passed on, and when
}

const (
	chunk   = 32 << 10  // bytes of a DATA frame, about
	window  = 256 << 10 // bytes under way at which a transfer waits: far less than a host takes in
	atOnce  = 256       // owners in one PULL
	maxWant = 1 << 16   // owners wanted of one peer
)

func (m *Machine) peer(node name.Node) *peer {
	for _, p := range m.peers {
		if p.node == node {
			return p
		}
	}
	return nil
}

func (m *Machine) peerUp(node name.Node) {
	if m.peer(node) != nil {
		m.peerDown(node) // a new life, or a link of which the end was not told
	}
	m.peers = append(m.peers, &peer{node: node, until: overlay.Never, seen: map[uint64]overlay.Time{}})
	m.anti.Up(m.now, node, &m.aeOut)
}

func (m *Machine) peerDown(node name.Node) {
	p := m.peer(node)
	if p == nil {
		return
	}
	m.peers = slices.DeleteFunc(m.peers, func(other *peer) bool { return other == p })
	m.release(p)
	m.anti.Down(m.now, node, &m.aeOut)
	m.findsWithout(node)
}

// behind notes what a comparison wants fetched.
func (m *Machine) behind(d antientropy.Difference) {
	p := m.peer(d.Peer)
	if p == nil {
		return
	}
	for i := range d.Marks {
		if !m.store.Refuses(m.now, &d.Marks[i]) {
			m.wantFrom(p, d.Marks[i].Key)
		}
	}
	m.rest(p)
}

// wantFrom wants an owner from a peer, unless somebody is being asked for it, or it could
// not be believed: once its key is known there is another comparison.
func (m *Machine) wantFrom(p *peer, owner string) {
	if _, asked := m.asked[owner]; asked || len(p.wants) >= maxWant || !m.cfg.Known(owner) {
		return
	}
	m.asked[owner] = p.node
	p.wants = append(p.wants, owner)
}

// wantAnywhere wants an owner from some peer.
func (m *Machine) wantAnywhere(owner string) {
	if len(m.peers) > 0 {
		m.wantFrom(m.peers[m.rng.IntN(len(m.peers))], owner)
	}
}

// ask pulls what is wanted from the peers that are idle.
func (m *Machine) ask() {
	for _, p := range m.peers {
		if p.pulling == nil && len(p.wants) > 0 {
			m.pull(p)
		}
	}
}

func (m *Machine) pull(p *peer) {
	m.stats.Pulls++
	p.number = m.stats.Pulls
	msg := message{kind: pull, number: p.number}
	n := min(len(p.wants), atOnce)
	for _, owner := range p.wants[:n] {
		inc, seq := m.store.Position(owner)
		msg.places = append(msg.places, place{owner, inc, seq})
	}
	p.pulling, p.wants = p.wants[:n:n], p.wants[n:]
	p.reader = ownerlog.Reader{MaxItems: m.cfg.Log.MaxItems, MaxBytes: m.cfg.Log.MaxBytes}
	p.until = m.now + m.cfg.Compare.Patience
	m.send(p.node, encode(&msg))
}

// arrived takes a piece of what was pulled.
func (m *Machine) arrived(p *peer, msg *message) {
	if p.pulling == nil || msg.number != p.number {
		return
	}
	err := p.reader.Add(msg.chunk, func(r ownerlog.Record) { m.store.Take(m.now, r) })
	switch {
	case err != nil:
		m.stats.Malformed++
		m.finishPull(p)
	case msg.last:
		m.finishPull(p)
	default:
		p.until = m.now + m.cfg.Compare.Patience
		m.anti.Alive(m.now, p.node)
		m.send(p.node, encode(&message{kind: more, number: p.number}))
	}
}

// finishPull frees the turn of the owners that were pulled, whether they came or not.
func (m *Machine) finishPull(p *peer) {
	for _, owner := range p.pulling {
		delete(m.asked, owner)
	}
	p.pulling, p.until, p.reader = nil, overlay.Never, ownerlog.Reader{}
	m.anti.Alive(m.now, p.node)
	m.rest(p)
}

// rest ends the comparison with a peer of whom nothing is wanted any more.
func (m *Machine) rest(p *peer) {
	if p.pulling == nil && len(p.wants) == 0 {
		m.anti.Done(m.now, p.node, &m.aeOut)
	}
}

// release gives up what was wanted of a peer.
func (m *Machine) release(p *peer) {
	for _, owner := range slices.Concat(p.pulling, p.wants) {
		delete(m.asked, owner)
	}
	p.pulling, p.wants, p.until = nil, nil, overlay.Never
}

// fetchesDue gives up peers that fell silent in the middle of a transfer.
func (m *Machine) fetchesDue() {
	for _, p := range m.peers {
		if p.until <= m.now {
			m.stats.Timeouts++
			m.release(p)
			m.rest(p)
		}
	}
}

// pulled begins to send a peer what it lacks; what it pulled before is void.
func (m *Machine) pulled(p *peer, msg *message) {
	m.seal()
	p.serves, p.serving, p.current, p.under, p.ahead = msg.number, msg.places, nil, nil, 0
	m.serve(p)
}

// serve sends until enough is under way, or all.
func (m *Machine) serve(p *peer) {
	for p.ahead < window {
		msg := message{kind: data, number: p.serves}
		for !msg.last && len(msg.chunk) < chunk {
			msg.chunk, msg.last = m.piece(p, msg.chunk)
		}
		for len(msg.chunk) > MaxFrame-16 { // one long entry
			m.sendData(p, &message{kind: data, number: p.serves, chunk: msg.chunk[:chunk]})
			msg.chunk = msg.chunk[chunk:]
		}
		m.sendData(p, &msg)
		if msg.last {
			p.serving, p.current, p.under, p.ahead = nil, nil, nil, 0
			return
		}
	}
}

func (m *Machine) sendData(p *peer, msg *message) {
	frame := encode(msg)
	p.under = append(p.under, len(frame))
	p.ahead += len(frame)
	m.send(p.node, frame)
}

// piece appends what comes next; last: nothing does.
func (m *Machine) piece(p *peer, b []byte) (_ []byte, last bool) {
	if p.current == nil {
		if len(p.serving) == 0 {
			return b, true
		}
		next := p.serving[0]
		p.serving = p.serving[1:]
		if p.current = m.store.Serve(next.owner, next.inc, next.seq); p.current == nil {
			return b, false
		}
	}
	b, done := p.current.Append(b, chunk)
	if done {
		p.current = nil
	}
	return b, false
}

// moreOf: the peer has taken another frame.
func (m *Machine) moreOf(p *peer, number uint64) {
	if len(p.under) > 0 && number == p.serves {
		p.ahead -= p.under[0]
		p.under = p.under[1:]
		m.serve(p)
	}
}
