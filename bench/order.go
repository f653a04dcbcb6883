package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// pairs is how many senders and how many receivers there are: each sends to each.
const pairs = 8

// witness is a receiver that checks that each sender counts without a gap. It tells
// what it has seen when it is called.
type witness struct {
	mu         sync.Mutex
	last       [pairs]uint64
	got, wrong int
}

func (w *witness) handle(_ context.Context, m core.Message) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Call {
		return fmt.Sprint(w.got, " ", w.wrong), nil
	}
	body := m.Bytes()
	last := &w.last[body[0]%pairs]
	n := binary.BigEndian.Uint64(body[1:])
	if n != *last+1 {
		w.wrong++
	}
	*last = n
	w.got++
	return nil, nil
}

func serveWitnesses(ctx context.Context, n *core.Node) error {
	for i := range pairs {
		w := &witness{}
		if _, err := n.Register(ctx, witnessName(i), nil, w.handle); err != nil {
			return err
		}
	}
	return nil
}

func witnessName(i int) name.Service { return name.MustService(fmt.Sprint("witness", i)) }

// order lets each of the senders send b.messages to each of the receivers, and counts
// what was lost, came twice or came out of order.
func (b *bench) order(ctx context.Context) error {
	begin := time.Now()
	_, err := many2(pairs, func(sender int) error {
		return b.node.asProcess(func(ctx context.Context, self *core.Self) error { return b.count(ctx, self, byte(sender)) })
	})
	if err != nil {
		return err
	}
	took := time.Since(begin)
	sent, got, wrong := b.messages*pairs*pairs, 0, 0
	for i := range pairs {
		told, err := core.Call[string, string](ctx, b.node.node, b.node.to(witnessName(i)), "tell")
		if err != nil {
			return err
		}
		var g, w int
		if _, err := fmt.Sscan(told, &g, &w); err != nil {
			return err
		}
		got, wrong = got+g, wrong+w
	}
	b.rows = append(b.rows,
		row{what: "8 senders to 8 receivers, 9 B", node: rate(sent, took), unit: "/s"},
		row{what: "messages sent", node: float64(sent)},
		row{what: "messages delivered", node: float64(got), want: promise{least: float64(sent)}},
		row{what: "messages not behind the one before", node: float64(wrong)})
	if got != sent || wrong > 0 {
		err = fmt.Errorf("%d sent, %d delivered, %d of them not behind the one before", sent, got, wrong)
	}
	return err
}

// count sends the numbers from 1 on to each receiver in turn, and waits until all have
// been taken.
func (b *bench) count(ctx context.Context, self *core.Self, sender byte) error {
	for n := uint64(1); n <= uint64(b.messages); n++ {
		body := binary.BigEndian.AppendUint64([]byte{sender}, n)
		for i := range pairs {
			if err := self.Send(ctx, b.node.to(witnessName(i)), body); err != nil {
				return err
			}
		}
	}
	for i := range pairs {
		if _, err := self.Call(ctx, b.node.to(witnessName(i)), "behind all of them"); err != nil {
			return err
		}
	}
	return nil
}
