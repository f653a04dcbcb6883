package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// stall is for how long the receiver reads nothing.
const stall = 10 * time.Second

// sleeper is a process that counts its messages, and takes none for a while when it is
// told to.
type sleeper struct{ got atomic.Int64 }

func (s *sleeper) run(ctx context.Context, self *core.Self) error {
	for {
		m, err := self.Receive(ctx)
		if err != nil {
			return err
		}
		if m.Call {
			m.Reply("asleep", nil)
			select {
			case <-time.After(stall):
			case <-ctx.Done():
			}
			continue
		}
		s.got.Add(1)
	}
}

func serveSleeper(ctx context.Context, n *core.Node) error {
	s := &sleeper{}
	proc, err := n.Spawn(core.Spec{Run: s.run})
	if err != nil {
		return err
	}
	if err := n.Bind(sleeperName(), proc.Ref()); err != nil {
		return err
	}
	_, err = n.Register(ctx, name.MustService("state"), nil, func(context.Context, core.Message) (any, error) {
		return fmt.Sprint(s.got.Load(), " ", heap()), nil
	})
	return err
}

func sleeperName() name.Service { return name.MustService("sleeper") }

// heap is what this process holds, without what only waits to be collected.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// overload sends without end to a receiver that takes nothing for ten seconds, and
// measures other pairs on the same link meanwhile, and before and after.
func (b *bench) overload(ctx context.Context) error {
	others := func() (float64, error) { return b.node.oneWay(ctx, pairs, 64, time.Second) }
	calm, err := b.typical(ctx, 5, others)
	if err != nil {
		return err
	}
	if _, err := core.Call[string, string](ctx, b.node.node, b.node.to(sleeperName()), "sleep"); err != nil {
		return err
	}
	f := b.flood(ctx)
	during, err := b.typical(ctx, 8, others)
	if err != nil {
		return err
	}
	time.Sleep(stall - 8*time.Second)
	f.stop()
	after, err := b.typical(ctx, 5, others)
	if err != nil {
		return err
	}
	return b.settle(ctx, f, (calm.rate+after.rate)/2, during.beyond(calm))
}

// beyond is a level whose heaps are what it held more than another.
func (l level) beyond(calm level) level {
	l.heap -= min(l.heap, calm.heap)
	l.there -= min(l.there, calm.there)
	return l
}

// level is a rate, and the largest heaps of the two processes meanwhile.
type level struct {
	rate        float64
	heap, there uint64
}

// mostHeap is how much more each of two processes may hold when a receiver takes nothing
// beside eight pairs at work, in MiB. What they held before is of the parts before.
const mostHeap = 32

// typical is the median of so many.
func (b *bench) typical(ctx context.Context, times int, run measure) (level, error) {
	var l level
	rates := make([]time.Duration, 0, times)
	for range times {
		v, err := run()
		if err != nil {
			return l, err
		}
		rates = append(rates, time.Duration(v*1000))
		_, there, err := b.state(ctx)
		if err != nil {
			return l, err
		}
		l.heap, l.there = max(l.heap, heap()), max(l.there, there)
	}
	l.rate = median(rates)
	return l, nil
}

func (b *bench) state(ctx context.Context) (got int, heap uint64, err error) {
	told, err := core.Call[string, string](ctx, b.node.node, b.node.service("state"), "tell")
	if err == nil {
		_, err = fmt.Sscan(told, &got, &heap)
	}
	return got, heap, err
}

// flood is one process that waits for room, and one that waits for nothing.
type flood struct {
	sent, dead int
	stop       func()
}

func (b *bench) flood(ctx context.Context) *flood {
	f := &flood{dead: b.deadLetters()}
	ctx, cancel := context.WithCancel(ctx)
	var both sync.WaitGroup
	var sent atomic.Int64
	to := b.node.to(sleeperName())
	both.Go(func() {
		for core.Send(ctx, b.node.node, to, make([]byte, 64)) == nil {
			sent.Add(1)
		}
	})
	both.Go(func() {
		for ticker := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
			for range 100 {
				if core.Cast(b.node.node, to, make([]byte, 64)) == nil {
					sent.Add(1)
				}
			}
		}
	})
	f.stop = func() { cancel(); both.Wait(); f.sent = int(sent.Load()) }
	return f
}

func (b *bench) deadLetters() (n int) {
	for _, dead := range b.node.node.DeadLetters() {
		n += int(dead)
	}
	return n
}

// settle waits for what is on its way, and counts.
func (b *bench) settle(ctx context.Context, f *flood, calm float64, during level) error {
	refused := b.deadLetters() - f.dead
	got := 0
	for end := time.Now().Add(stall); got+refused < f.sent && time.Now().Before(end); {
		var err error
		if got, _, err = b.state(ctx); err != nil {
			return err
		}
	}
	b.rows = append(b.rows,
		row{what: "8 pairs, 64 B, before and after", node: calm, unit: "/s"},
		row{what: "while another receiver takes nothing", node: during.rate, unit: "/s"},
		row{what: "share of the rate that is kept", node: during.rate / calm, want: promise{least: 0.70}},
		row{what: "heap beyond that, sending process", node: float64(during.heap) / (1 << 20), unit: "MiB", want: promise{most: mostHeap}},
		row{what: "heap beyond that, receiving process", node: float64(during.there) / (1 << 20), unit: "MiB", want: promise{most: mostHeap}},
		row{what: "sent to the one that takes nothing", node: float64(f.sent)},
		row{what: "delivered", node: float64(got)},
		row{what: "refused", node: float64(refused)})
	if got+refused != f.sent {
		return fmt.Errorf("%d sent, %d delivered, %d refused", f.sent, got, refused)
	}
	return nil
}
