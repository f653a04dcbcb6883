package membershipfull

import (
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/core/machine/fullmesh"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Bounds on what may wait for the loop, per peer.
const (
	maxFrames  = 512
	maxBytes   = 1 << 20
	maxChanges = 64 // link ups and downs
)

// inbox holds what waits for the loop. Adding never blocks. What links bring is kept
// in order per peer and bounded per peer: a peer whose frames exceed the bound is
// reported once, and the rest of its frames on that link is dropped; link ups and
// downs are never lost, but a link that came and went unseen may be.
type inbox struct {
	mu     sync.Mutex
	opened bool
	ready  chan struct{} // holds a token while there is something to take
	own    []fullmesh.Input
	peers  map[name.Node]*peerBox
	turn   []name.Node // whose turn it is, each once; the zero Node is this node itself
}

// peerBox is what one peer brought.
type peerBox struct {
	items   []membership.Input
	frames  int
	bytes   int
	changes int
	over    bool // too many frames on this link
	told    bool // and the loop was told
}

// parcel is what the loop takes at a time: an input, or a peer to turn out.
type parcel struct {
	input   fullmesh.Input
	tooFast name.Node
}

func newInbox() *inbox {
	return &inbox{ready: make(chan struct{}, 1), peers: map[name.Node]*peerBox{}}
}

// open makes the inbox take things; before, and after close, they are dropped.
func (b *inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = true
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened, b.own, b.turn = false, nil, nil
	clear(b.peers)
}

// add takes an input of this node's own making. There are as many as there are
// callers and dials, which are bounded by themselves.
func (b *inbox) add(in fullmesh.Input) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return
	}
	if len(b.own) == 0 {
		b.turn = append(b.turn, name.Node{})
	}
	b.own = append(b.own, in)
	b.signal()
}

// link takes what happened on a link.
func (b *inbox) link(in membership.Input) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened || in.Peer.Node.IsZero() {
		return
	}
	box := b.peers[in.Peer.Node]
	if box == nil {
		box = &peerBox{}
		b.peers[in.Peer.Node] = box
	}
	waiting := box.waiting()
	box.put(in)
	if !waiting && box.waiting() {
		b.turn = append(b.turn, in.Peer.Node)
	}
	b.signal()
}

func (b *inbox) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns the next parcel: one of each who has something, in turn.
func (b *inbox) take() (parcel, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.turn) == 0 {
		return parcel{}, false
	}
	node := b.turn[0]
	b.turn = slices.Delete(b.turn, 0, 1)
	if node.IsZero() {
		return b.takeOwn(), true
	}
	box := b.peers[node]
	p := box.next(node)
	switch {
	case box.waiting():
		b.turn = append(b.turn, node)
	case !box.over:
		delete(b.peers, node)
	}
	return p, true
}

func (b *inbox) takeOwn() parcel {
	in := b.own[0]
	b.own = slices.Delete(b.own, 0, 1)
	if len(b.own) > 0 {
		b.turn = append(b.turn, name.Node{})
	}
	return parcel{input: in}
}

func (box *peerBox) waiting() bool { return len(box.items) > 0 || box.over && !box.told }

func (box *peerBox) put(in membership.Input) {
	if in.Kind != membership.Frame {
		box.over, box.told = false, false
		box.items = append(box.items, in)
		if box.changes++; box.changes > maxChanges {
			box.merge()
		}
		return
	}
	if box.over || box.frames >= maxFrames || box.bytes+len(in.Data) > maxBytes {
		box.over = true
		return
	}
	box.items = append(box.items, in)
	box.frames++
	box.bytes += len(in.Data)
}

// merge drops the oldest link that both came up and went down while it waited.
func (box *peerBox) merge() {
	up := slices.IndexFunc(box.items, func(in membership.Input) bool { return in.Kind == membership.LinkUp })
	if up < 0 {
		return
	}
	n := slices.IndexFunc(box.items[up:], func(in membership.Input) bool { return in.Kind == membership.LinkDown })
	if n < 0 {
		return
	}
	for _, in := range box.items[up : up+n+1] {
		box.uncount(in)
	}
	box.items = slices.Delete(box.items, up, up+n+1)
}

func (box *peerBox) uncount(in membership.Input) {
	if in.Kind == membership.Frame {
		box.frames--
		box.bytes -= len(in.Data)
	} else {
		box.changes--
	}
}

func (box *peerBox) next(node name.Node) parcel {
	if len(box.items) == 0 {
		box.told = true
		return parcel{tooFast: node}
	}
	in := box.items[0]
	box.items = slices.Delete(box.items, 0, 1)
	box.uncount(in)
	return parcel{input: translate(in)}
}

func translate(in membership.Input) fullmesh.Input {
	switch in.Kind {
	case membership.LinkUp:
		return fullmesh.LinkUp(in.Peer)
	case membership.LinkDown:
		return fullmesh.LinkDown(in.Peer, in.Code)
	}
	return fullmesh.Frame(in.Peer, in.Data)
}
