// Package inbox is the queue between the links of a node and the one goroutine in which
// a membership thinks. membership.Plugin.Input must not block, so what comes waits here:
// in order per peer, bounded per peer, and taken in turn, so that a peer that floods
// costs bounded memory and keeps no other waiting.
//
// It is for authors of memberships; it thinks nothing and starts nothing.
//
//	box := inbox.New[command]()
//	func (p *mine) Input(in membership.Input) { box.Put(in) }
//	...
//	for range box.Ready() {
//		for parcel, ok := box.Take(); ok; parcel, ok = box.Take() { ... }
//	}
package inbox

import (
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Bounds on what may wait, per peer, and of broadcasts from all.
const (
	maxFrames         = 512
	maxBytes          = 1 << 20
	maxChanges        = 64 // link ups and downs
	maxBroadcasts     = 4096
	maxBroadcastBytes = 16 << 20
)

// Box holds what waits. Adding never blocks. A peer whose frames exceed the bound is
// reported once, and the rest of its frames on that link is dropped, unless Renew is
// called; link ups and downs
// are never lost, but a link that came and went unseen may be. All methods are safe for
// concurrent use. Own is what the membership tells itself.
type Box[Own any] struct {
	mu      sync.Mutex
	opened  bool
	ready   chan struct{} // holds a token while there is something to take
	own     []Own
	peers   map[name.Node]*peerBox
	said    peerBox          // broadcasts
	tree    membership.Input // the latest of its kind
	dropped uint64
	turn    []turn // whose turn it is, each once
}

// turn names a queue: of a peer, or one of the node's own.
type turn struct {
	queue queue
	node  name.Node
}

type queue uint8

const (
	ofPeer queue = iota
	ofOwn
	ofBroadcasts
	ofTree
)

// Parcel is what is taken at a time: exactly one of the three.
type Parcel[Own any] struct {
	Own     *Own
	Input   *membership.Input
	TooFast name.Node // to be turned out: it sends more than is read
}

// New makes a box that is closed.
func New[Own any]() *Box[Own] {
	return &Box[Own]{ready: make(chan struct{}, 1), peers: map[name.Node]*peerBox{}}
}

// Open makes the box take things; before, and after Close, they are dropped.
func (b *Box[Own]) Open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = true
}

// Close drops what waits and all that comes.
func (b *Box[Own]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened, b.own, b.turn, b.said, b.tree = false, nil, nil, peerBox{}, membership.Input{}
	clear(b.peers)
}

// Ready holds a token while there may be something to take.
func (b *Box[Own]) Ready() <-chan struct{} { return b.ready }

// Dropped counts the broadcasts for which there was no room.
func (b *Box[Own]) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Add takes something of this node's own making. There are as many as there are callers
// and dials, which are bounded by themselves.
func (b *Box[Own]) Add(own Own) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return
	}
	if len(b.own) == 0 {
		b.turn = append(b.turn, turn{queue: ofOwn})
	}
	b.own = append(b.own, own)
	b.signal()
}

// Put takes what happened on a link or to the broadcasts.
func (b *Box[Own]) Put(in membership.Input) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return
	}
	switch {
	case in.Kind == membership.Tree:
		b.putTree(in)
	case in.Kind == membership.Broadcast:
		b.putBroadcast(in)
	case !in.Peer.Node.IsZero():
		b.putPeer(in)
	}
	b.signal()
}

// Renew begins anew with a peer that was reported, as if its link had gone and come back:
// for those who compare notes with it at a new link, and so make good what was dropped.
// It does nothing if the link has changed since.
func (b *Box[Own]) Renew(node name.Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if box := b.peers[node]; box == nil || !box.told {
		return
	}
	for _, kind := range []membership.InputKind{membership.LinkDown, membership.LinkUp} {
		b.putPeer(membership.Input{Kind: kind, Peer: membership.Peer{Node: node}})
	}
	b.signal()
}

func (b *Box[Own]) putTree(in membership.Input) {
	if b.tree.Kind == 0 {
		b.turn = append(b.turn, turn{queue: ofTree})
	}
	b.tree = in
}

func (b *Box[Own]) putBroadcast(in membership.Input) {
	if len(b.said.items) >= maxBroadcasts || b.said.bytes+len(in.Data) > maxBroadcastBytes {
		b.dropped++
		return
	}
	if len(b.said.items) == 0 {
		b.turn = append(b.turn, turn{queue: ofBroadcasts})
	}
	b.said.items = append(b.said.items, in)
	b.said.bytes += len(in.Data)
}

func (b *Box[Own]) putPeer(in membership.Input) {
	box := b.peers[in.Peer.Node]
	if box == nil {
		box = &peerBox{}
		b.peers[in.Peer.Node] = box
	}
	waiting := box.waiting()
	box.put(in)
	if !waiting && box.waiting() {
		b.turn = append(b.turn, turn{ofPeer, in.Peer.Node})
	}
}

func (b *Box[Own]) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// Take returns the next parcel, one of each queue that has something, in turn; false if
// nothing waits.
func (b *Box[Own]) Take() (Parcel[Own], bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.turn) == 0 {
		return Parcel[Own]{}, false
	}
	t := b.turn[0]
	b.turn = slices.Delete(b.turn, 0, 1)
	switch t.queue {
	case ofOwn:
		return b.takeOwn(t), true
	case ofBroadcasts:
		in := shift(&b.said.items)
		b.said.bytes -= len(in.Data)
		b.again(t, len(b.said.items) > 0)
		return Parcel[Own]{Input: &in}, true
	case ofTree:
		in := b.tree
		b.tree = membership.Input{}
		return Parcel[Own]{Input: &in}, true
	}
	return b.takePeer(t), true
}

func (b *Box[Own]) again(t turn, more bool) {
	if more {
		b.turn = append(b.turn, t)
	}
}

func (b *Box[Own]) takeOwn(t turn) Parcel[Own] {
	own := shift(&b.own)
	b.again(t, len(b.own) > 0)
	return Parcel[Own]{Own: &own}
}

func (b *Box[Own]) takePeer(t turn) (p Parcel[Own]) {
	box := b.peers[t.node]
	if len(box.items) == 0 {
		box.told = true
		p.TooFast = t.node
	} else {
		in := shift(&box.items)
		box.uncount(in)
		p.Input = &in
	}
	b.again(t, box.waiting())
	if !box.waiting() && !box.over {
		delete(b.peers, t.node)
	}
	return p
}

func shift[T any](list *[]T) T {
	first := (*list)[0]
	*list = slices.Delete(*list, 0, 1)
	return first
}

// peerBox is what one peer brought.
type peerBox struct {
	items   []membership.Input
	frames  int
	bytes   int
	changes int
	over    bool // too many frames on this link
	told    bool // and the reader was told
}

func (box *peerBox) waiting() bool { return len(box.items) > 0 || box.over && !box.told }

func (box *peerBox) put(in membership.Input) {
	switch in.Kind {
	case membership.Frame:
		box.putFrame(in)
	case membership.LinkMoved:
		box.putMove(in)
	default:
		box.over, box.told = false, false
		box.items = append(box.items, in)
		if box.changes++; box.changes > maxChanges {
			box.merge()
		}
	}
}

// putMove keeps the last place of a link only: in what waits to say that the link is up
// or has moved, if something does.
func (box *peerBox) putMove(in membership.Input) {
	for i, before := range slices.Backward(box.items) {
		if before.Kind != membership.Frame {
			box.items[i].Peer = in.Peer
			return
		}
	}
	box.items = append(box.items, in)
	box.changes++
}

func (box *peerBox) putFrame(in membership.Input) {
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
