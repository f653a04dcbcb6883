package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	idlers   int // processes in one node
	raw      *rawClient
	rpc      *grpcClient
	node     *nodeClient
	rows     []row
}

func newBench(ctx context.Context, dir string, at addresses, o options) (*bench, error) {
	n, err := startNode(ctx, dir, "client@127.0.0.1")
	if err != nil {
		return nil, err
	}
	b := &bench{each: o.each, messages: o.messages, idlers: o.idlers, node: &nodeClient{n, name.MustNode(serverName)}}
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
	}{{"oneway", b.oneWay}, {"calls", b.calls}, {"stream", b.streams}, {"local", b.local}, {"profile", b.profiled}, {"cpu", b.cpu}, {"order", b.order}, {"overload", b.overload}, {"idle", b.idle}}
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

// compare takes the figures in turns, because the machine is not always equally fast. It
// keeps the best of each, and the middle of what a node had of the others turn by turn.
func (b *bench) compare(what, unit string, want promise, better func(a, b float64) bool, node, raw, rpc measure) error {
	return b.compareTimes(rounds, what, unit, want, better, node, raw, rpc)
}

func (b *bench) compareTimes(times int, what, unit string, want promise, better func(a, b float64) bool, node, raw, rpc measure) error {
	var best [3]float64
	var shares [3][]float64
	for range times {
		var first float64
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
			if i == 0 {
				first = v
			}
			shares[i] = append(shares[i], first/v)
		}
	}
	b.rows = append(b.rows, row{
		what: what, node: best[0], raw: best[1], other: best[2], unit: unit, want: want,
		ofRaw: middle(shares[1]), ofOther: middle(shares[2]),
	})
	return nil
}

const rounds = 20

// middle is zero for nothing.
func middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func more(a, b float64) bool { return a > b }
func less(a, b float64) bool { return a < b }

func (b *bench) oneWay(ctx context.Context) error {
	each := b.each / rounds
	for _, size := range []int{64, 1024} {
		want := promise{ofRaw: 0.80}
		if size == 64 {
			want.other = 2
		}
		err := b.compare(fmt.Sprintf("one way, %d B", size), "/s", want, more,
			func() (float64, error) { return b.node.oneWay(ctx, 1, size, each) },
			func() (float64, error) { return b.raw.oneWay(ctx, size, each) },
			func() (float64, error) { return b.rpc.oneWay(ctx, size, each) })
		if err != nil {
			return err
		}
	}
	return b.compare("one way, 64 B, 8 pairs", "/s", promise{}, more,
		func() (float64, error) { return b.node.oneWay(ctx, 8, 64, each) }, nil, nil)
}

func (b *bench) calls(ctx context.Context) error {
	each := b.each / rounds
	err := b.compare("call, 64 B, 1 in flight, p50", "us", promise{mostOfRaw: 1.2}, less,
		func() (float64, error) { return sample(each, func() error { return b.node.call(ctx) }) },
		func() (float64, error) { return b.raw.bare(ctx, each) },
		func() (float64, error) { return sample(each, func() error { return b.rpc.call(ctx) }) })
	const flight = 64
	return errors.Join(err, b.compare("calls, 64 B, 64 in flight", "/s", promise{ofRaw: 0.90, other: 2}, more,
		func() (float64, error) { return many(flight, each, func(int) error { return b.node.call(ctx) }) },
		func() (float64, error) { return b.raw.calls(ctx, flight, each) },
		func() (float64, error) { return many(flight, each, func(int) error { return b.rpc.call(ctx) }) }))
}

func (b *bench) streams(ctx context.Context) error {
	const size = 1 << 30
	return b.compareTimes(5, "stream of 1 GiB", "MiB/s", promise{ofRaw: 0.95}, more,
		func() (float64, error) { return b.node.stream(ctx, size) },
		func() (float64, error) { return b.raw.stream(ctx, size) }, nil)
}

func (b *bench) local(ctx context.Context) error {
	n := b.node.node
	proc, err := n.Spawn(core.Spec{Handle: func(_ context.Context, m core.Message) (any, error) { return m.Value(), nil }})
	if err != nil {
		return err
	}
	var from, to runtime.MemStats
	runtime.ReadMemStats(&from)
	begin, before, calls := time.Now(), cpuTime(), 0
	for ; time.Since(begin) < b.each; calls++ {
		if _, err := core.Call[int, int](ctx, n, proc.Ref(), 1); err != nil {
			return err
		}
	}
	took, used := time.Since(begin), cpuTime()-before
	runtime.ReadMemStats(&to)
	mean := func(nanoseconds int64) float64 { return float64(nanoseconds) / 1000 / float64(calls) }
	b.rows = append(b.rows,
		row{what: "call on this node, mean", node: mean(took.Nanoseconds()), unit: "us", want: promise{most: 1.5}},
		row{what: "call on this node, CPU", node: mean(used), unit: "us", want: promise{most: 1.5}},
		row{what: "allocations of it", node: float64(to.Mallocs-from.Mallocs) / float64(calls), want: promise{most: 2}})
	return b.rates(ctx)
}

// rates is how often processes are spawned, here and there, and seen to end.
func (b *bench) rates(ctx context.Context) error {
	for _, act := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"spawn and end on this node", b.node.spawn},
		{"spawn on the other node", b.node.spawnOn},
		{"spawn, monitor and end there", b.node.monitor},
	} {
		v, err := many(16, b.each, func(int) error { return act.do(ctx) })
		if err != nil {
			return fmt.Errorf("%s: %w", act.what, err)
		}
		b.rows = append(b.rows, row{what: act.what, node: v, unit: "/s"})
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
