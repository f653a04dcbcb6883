package broadcast

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// How fast one neighbour is read.
const (
	framesPerSecond = 2000
	bytesPerSecond  = 16 << 20
	strangerWait    = 5 * time.Second // for who opened a stream to become a neighbour
)

// Receive reads a stream that a node opened, until it ends, the node is no neighbour
// any more, or ctx ends. The stream is reset when it brings what is no frame.
func (b *Broadcast) Receive(ctx context.Context, node name.Node, s Stream) {
	n := b.await(ctx, node)
	if n == nil || !b.attach(n, s) {
		s.Reset(transport.CloseNone)
		return
	}
	defer b.detach(n, s)
	defer context.AfterFunc(ctx, func() { s.Reset(transport.CloseStopping) })()
	if err := b.read(ctx, n, s); !errors.Is(err, io.EOF) {
		b.cfg.Log.Debug("broadcast stream ended", "peer", node, "error", err)
		s.Reset(transport.CloseProtocol)
	}
}

// maxInbound is how many streams of one neighbour are read at a time: one, and another
// while a connection is replaced.
const maxInbound = 4

// attach makes the stream end with the neighbourhood.
func (b *Broadcast) attach(n *neighbour, s Stream) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byPeer[n.peer] != n || len(n.inbound) >= maxInbound {
		return false
	}
	n.inbound = append(n.inbound, s)
	return true
}

func (b *Broadcast) detach(n *neighbour, s Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.inbound = slices.DeleteFunc(n.inbound, func(other Stream) bool { return other == s })
}

// await returns the neighbour, which may not be known as one for a moment: each end
// learns it by itself.
func (b *Broadcast) await(ctx context.Context, node name.Node) *neighbour {
	timer := time.NewTimer(strangerWait)
	defer timer.Stop()
	for {
		n, changed := b.find(node)
		if n != nil {
			return n
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *Broadcast) find(node name.Node) (*neighbour, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.near[node], b.changed
}

// readBuffer is for a few usual messages; larger ones are read past it. Each neighbour has
// one for as long as it is one.
const readBuffer = 1 << 10

// read never returns nil: io.EOF is the good end.
func (b *Broadcast) read(ctx context.Context, n *neighbour, s Stream) error {
	r := bufio.NewReaderSize(s, readBuffer)
	frames := rate.NewLimiter(framesPerSecond, 2*framesPerSecond)
	bytes := rate.NewLimiter(bytesPerSecond, 2*bytesPerSecond)
	for {
		body, err := readBody(r)
		if err != nil {
			return err
		}
		if err := frames.Wait(ctx); err != nil {
			return err
		}
		if err := bytes.WaitN(ctx, len(body)); err != nil {
			return err
		}
		if err := b.take(n, body); err != nil {
			return err
		}
	}
}

// take hands one frame to the machine.
func (b *Broadcast) take(n *neighbour, body []byte) error {
	if kind, id, ok := parseSync(body); ok {
		b.synced(n, kind, id)
		return nil
	}
	msg, err := plumtree.Decode(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byPeer[n.peer] == n {
		b.step(overlay.Input[plumtree.Message]{Kind: overlay.InMsg, Peer: n.peer, Msg: msg})
	}
	return nil
}
