package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

type bench struct {
	each     time.Duration
	messages int // of each pair, for order
	raw      *rawClient
	rpc      *grpcClient
	node     *nodeClient
	rows     []row
}

func newBench(ctx context.Context, dir string, at addresses, each time.Duration, messages int) (*bench, error) {
	n, err := startNode(ctx, dir, "client@127.0.0.1")
	if err != nil {
		return nil, err
	}
	b := &bench{each: each, messages: messages, node: &nodeClient{n, name.MustNode(serverName)}}
	if b.raw, err = dialRaw(ctx, at.Raw); err != nil {
		return nil, err
	}
	b.rpc, err = dialGRPC(at.GRPC)
	return b, errors.Join(err, b.node.call(ctx), b.rpc.call(ctx))
}

func (b *bench) close(ctx context.Context) {
	_ = b.node.node.Stop(ctx)
	_ = b.rpc.conn.Close()
	_ = b.raw.conn.CloseWithError(0, "")
}

func (b *bench) run(ctx context.Context, only []string) error {
	parts := []struct {
		name string
		run  func(context.Context) error
	}{{"oneway", b.oneWay}, {"calls", b.calls}, {"stream", b.streams}, {"local", b.local}, {"profile", b.profiled}, {"cpu", b.cpu}, {"order", b.order}, {"overload", b.overload}}
	for _, p := range parts {
		if !slices.Contains(only, p.name) {
			continue
		}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	printTable(b.rows)
	return nil
}

// measure is one way to get a figure.
type measure func() (float64, error)

// compare takes the figures in turns, because the machine is not always equally fast,
// and keeps the best of each.
func (b *bench) compare(what, unit, want string, better func(a, b float64) bool, node, raw, rpc measure) error {
	var best [3]float64
	for range rounds {
		for i, m := range []measure{node, raw, rpc} {
			if m == nil {
				continue
			}
			v, err := m()
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if best[i] == 0 || better(v, best[i]) {
				best[i] = v
			}
		}
	}
	b.rows = append(b.rows, row{what, best[0], best[1], best[2], unit, want})
	return nil
}

const rounds = 10

func more(a, b float64) bool { return a > b }
func less(a, b float64) bool { return a < b }

func (b *bench) oneWay(ctx context.Context) error {
	each := b.each / rounds
	for _, size := range []int{64, 1024} {
		want := "0.80 of raw"
		if size == 64 {
			want += ", 2 of gRPC"
		}
		err := b.compare(fmt.Sprintf("one way, %d B", size), "/s", want, more,
			func() (float64, error) { return b.node.oneWay(ctx, 1, size, each) },
			func() (float64, error) { return b.raw.oneWay(ctx, size, each) },
			func() (float64, error) { return b.rpc.oneWay(ctx, size, each) })
		if err != nil {
			return err
		}
	}
	return b.compare("one way, 64 B, 8 pairs", "/s", "", more,
		func() (float64, error) { return b.node.oneWay(ctx, 8, 64, each) }, nil, nil)
}

func (b *bench) calls(ctx context.Context) error {
	each := b.each / rounds
	err := b.compare("call, 64 B, 1 in flight, p50", "us", "at most 1.2 of raw", less,
		func() (float64, error) { return sample(each, func() error { return b.node.call(ctx) }) },
		func() (float64, error) { return b.raw.bare(ctx, each) },
		func() (float64, error) { return sample(each, func() error { return b.rpc.call(ctx) }) })
	const flight = 64
	return errors.Join(err, b.compare("calls, 64 B, 64 in flight", "/s", "0.90 of raw, 2 of gRPC", more,
		func() (float64, error) { return many(flight, each, func(int) error { return b.node.call(ctx) }) },
		func() (float64, error) { return b.raw.calls(ctx, flight, each) },
		func() (float64, error) { return many(flight, each, func(int) error { return b.rpc.call(ctx) }) }))
}

func (b *bench) streams(ctx context.Context) error {
	const size = 1 << 30
	return b.compare("stream of 1 GiB", "MiB/s", "0.95 of raw", more,
		func() (float64, error) { return b.node.stream(ctx, size) },
		func() (float64, error) { return b.raw.stream(ctx, size) }, nil)
}

func (b *bench) local(ctx context.Context) error {
	n := b.node.node
	proc, err := n.Spawn(core.Spec{Handle: func(_ context.Context, m core.Message) (any, error) { return m.Value(), nil }})
	if err != nil {
		return err
	}
	begin, before, calls := time.Now(), cpuTime(), 0
	for ; time.Since(begin) < b.each; calls++ {
		if _, err := core.Call[int, int](ctx, n, proc.Ref(), 1); err != nil {
			return err
		}
	}
	mean := func(nanoseconds int64) float64 { return float64(nanoseconds) / 1000 / float64(calls) }
	b.rows = append(b.rows,
		row{what: "call on this node, mean", node: mean(time.Since(begin).Nanoseconds()), unit: "us", want: "at most 1.5"},
		row{what: "call on this node, CPU", node: mean(cpuTime() - before), unit: "us", want: "at most 1.5"})
	for what, act := range map[string]func(context.Context) error{
		"spawn and end on this node": b.node.spawn, "spawn on the other node": b.node.spawnOn, "spawn, monitor and end there": b.node.monitor,
	} {
		v, err := many(16, b.each, func(int) error { return act(ctx) })
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		b.rows = append(b.rows, row{what: what, node: v, unit: "/s"})
	}
	return nil
}

// sample is the median of one call after the other, in microseconds.
func sample(each time.Duration, call func() error) (float64, error) {
	var samples []time.Duration
	for begin := time.Now(); time.Since(begin) < each; {
		before := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		samples = append(samples, time.Since(before))
	}
	return median(samples), nil
}

// many is the rate of calls of which so many are under way.
func many(inFlight int, each time.Duration, call func(i int) error) (float64, error) {
	var n atomic.Int64
	begin := time.Now()
	_, err := many2(inFlight, func(i int) error {
		for time.Since(begin) < each {
			if err := call(i); err != nil {
				return err
			}
			n.Add(1)
		}
		return nil
	})
	return rate(int(n.Load()), time.Since(begin)), err
}

func many2(parallel int, run func(i int) error) (int, error) {
	errs := make([]error, parallel)
	var all sync.WaitGroup
	for i := range parallel {
		all.Go(func() { errs[i] = run(i) })
	}
	all.Wait()
	return parallel, errors.Join(errs...)
}

// profiled is one figure of the node alone, to be looked at with PROF_C and PROF_S.
func (b *bench) profiled(ctx context.Context) error {
	v, err := b.node.oneWay(ctx, 1, 64, b.each)
	b.rows = append(b.rows, row{what: "one way, 64 B", node: v, unit: "/s"})
	return err
}
