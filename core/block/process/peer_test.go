package process

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// peer is a node that speaks the protocol by hand.
type peer struct {
	w        *world
	node     name.Node
	to       *Processes
	wire     *wire
	next     uint64
	streams  map[uint8]*end
	accounts map[string]uint64
}

// peer makes a hand-made peer of p. Unless it is deaf, it reads what it is sent.
func (w *world) peer(text string, p *Processes) *peer {
	node := name.MustNode(text)
	x := &peer{w: w, node: node, to: p, wire: w.link(node, p.cfg.Node), next: 1, streams: map[uint8]*end{}, accounts: map[string]uint64{}}
	w.nodes[node] = New(Config{Node: node, Incarnation: 1, Network: road{w, node}, Tasks: plugin.NewTasks(func(plugin.Panic) {}), Log: p.cfg.Log})
	return x
}

// deaf lets streams to the peer arrive never.
func (x *peer) deaf() {
	x.wire.held = make(chan struct{})
	held := x.wire.held
	x.w.tasks.Go(func() { <-x.wire.ended; close(held) })
}

// stream opens a stream with a header of its own making.
func (x *peer) stream(head []byte) *end {
	here, there := x.wire.open()
	x.w.tasks.Go(func() { x.to.Receive(context.Background(), x.node, 1, there) })
	_, _ = here.Write(head)
	return here
}

func (x *peer) open(shard uint8) *end {
	s := x.streams[shard]
	if s == nil {
		s = x.stream(encodeStreamHeader(shard, x.next, 0))
		x.next++
		x.streams[shard] = s
	}
	return s
}

// write writes a frame; the account that it needs is opened before.
func (x *peer) write(shard uint8, f *frame) {
	s := x.open(shard)
	if f.account == 0 && (f.kind == frameSend || f.kind == frameCall) {
		f.account = x.account(shard, f.target)
	}
	_, _ = s.Write(f.encode())
}

func (x *peer) account(shard uint8, to Target) uint64 {
	key := fmt.Sprint(shard, to)
	if x.accounts[key] == 0 {
		x.accounts[key] = uint64(len(x.accounts) + 1)
		_, _ = x.open(shard).Write((&frame{kind: frameOpen, account: x.accounts[key], target: to}).encode())
	}
	return x.accounts[key]
}

// refused reports whether the other end gives the stream up.
func refused(s *end) bool {
	_, err := s.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, io.EOF)
}
