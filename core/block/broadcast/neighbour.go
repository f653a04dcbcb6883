package broadcast

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Network lends streams to neighbours.
type Network interface {
	// OpenBroadcast opens a stream over the link that there is to node, and never makes
	// one.
	OpenBroadcast(ctx context.Context, node name.Node) (Stream, error)
}

// Stream is a stream of this block on a link.
type Stream interface {
	io.ReadWriter
	CloseWrite() error
	Reset(code transport.CloseCode)
	// Moved is closed when another connection to the peer has won.
	Moved() <-chan struct{}
	// Ended is closed when the connection of the stream has ended.
	Ended() <-chan struct{}
	// Release says that the stream is not needed any more.
	Release()
}

// neighbour is one node for as long as it is a neighbour.
type neighbour struct {
	b     *Broadcast
	node  name.Node
	peer  overlay.Peer
	out   outbox
	quit  chan struct{} // closed: no neighbour any more
	life  context.Context
	end   context.CancelFunc // ends life, and whatever is being written
	syncs map[uint64]chan struct{}
	asked uint64 // the last sync

	inbound []Stream // that the node opened; guarded by b.mu, like the syncs
}

func newNeighbour(b *Broadcast, node name.Node, peer overlay.Peer) *neighbour {
	n := &neighbour{b: b, node: node, peer: peer, quit: make(chan struct{}), syncs: map[uint64]chan struct{}{}}
	n.out.wake = make(chan struct{}, 1)
	n.life, n.end = context.WithCancel(context.Background())
	return n
}

const (
	batchBytes = 64 << 10
	openTime   = 5 * time.Second
	reopenWait = 200 * time.Millisecond // after a stream that failed, plus or minus half
	lastWords  = 5 * time.Second        // for what is being written to who is no neighbour any more
)

// errMoved: another connection has to be used.
var errMoved = errors.New("the link has another connection")

// write carries the outbox to the peer for as long as it is a neighbour, over one
// stream after another if it must.
func (n *neighbour) write(ctx context.Context) {
	defer n.end()
	defer context.AfterFunc(ctx, n.end)()
	for n.life.Err() == nil && !n.over() {
		err := n.writeStream(n.life)
		if err == nil || n.over() {
			continue
		}
		if !errors.Is(err, errMoved) {
			n.b.cfg.Log.Debug("broadcast stream ended", "peer", n.node, "error", err)
			n.pause(n.life)
			n.b.relink(n)
		}
	}
}

func (n *neighbour) over() bool {
	select {
	case <-n.quit:
		return true
	default:
		return false
	}
}

func (n *neighbour) pause(ctx context.Context) {
	timer := time.NewTimer(reopenWait/2 + rand.N(reopenWait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.quit:
	case <-ctx.Done():
	}
}

// writeStream writes to one stream until it must not be used any more.
func (n *neighbour) writeStream(ctx context.Context) error {
	s, err := n.open(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	stop := context.AfterFunc(ctx, func() { s.Reset(transport.CloseStopping) })
	defer stop()
	for {
		frames, eased := n.out.take(batchBytes)
		if eased {
			n.b.eased(n)
		}
		if len(frames) > 0 {
			if err := writeAll(s, frames); err != nil {
				s.Reset(transport.CloseNone)
				return err
			}
			continue
		}
		select {
		case <-n.out.wake:
		case <-s.Ended():
			return io.ErrClosedPipe
		case <-s.Moved():
			return errors.Join(errMoved, s.CloseWrite())
		case <-n.quit:
			return s.CloseWrite()
		}
	}
}

func (n *neighbour) open(ctx context.Context) (Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return n.b.cfg.Network.OpenBroadcast(ctx, n.node)
}

// writeAll joins small frames, so that a burst of them is few packets.
func writeAll(s io.Writer, frames [][]byte) error {
	batch := frames[0]
	if len(frames) > 1 {
		batch = make([]byte, 0, batchBytes)
		for _, f := range frames {
			batch = append(batch, f...)
		}
	}
	_, err := s.Write(batch)
	return err
}

// eased: there is room for the neighbour again.
func (b *Broadcast) eased(n *neighbour) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byPeer[n.peer] == n {
		b.step(overlay.Input[plumtree.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpFast, Peer: n.peer}})
	}
}

// relink begins anew with a neighbour whose stream broke: what was in it may be lost,
// and a new neighbour is told what is recent.
func (b *Broadcast) relink(n *neighbour) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byPeer[n.peer] != n {
		return
	}
	n.out.clear()
	n.failSyncs()
	b.step(overlay.Input[plumtree.Message]{Kind: overlay.InLinkDown, Peer: n.peer})
	b.step(overlay.Input[plumtree.Message]{Kind: overlay.InLinkUp, Peer: n.peer})
}
