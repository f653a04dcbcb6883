package main

import (
	"context"
	"syscall"
	"time"

	"github.com/barrelp2p/barrel/core"
)

// cpu is what a message costs the two processes together. It depends less than a rate
// does on what else the machine has to do.
func (b *bench) cpu(ctx context.Context) error {
	each := b.each / rounds
	return b.compare("one way, 64 B, CPU of both", "ns", promise{}, less,
		b.cost(ctx, func() (float64, error) { return b.node.oneWay(ctx, 1, 64, each) }),
		b.cost(ctx, func() (float64, error) { return b.raw.oneWay(ctx, 64, each) }),
		b.cost(ctx, func() (float64, error) { return b.rpc.oneWay(ctx, 64, each) }))
}

// cost makes of a rate what each of its messages costs, in nanoseconds.
func (b *bench) cost(ctx context.Context, run measure) measure {
	return func() (float64, error) {
		before, err := b.cpuTime(ctx)
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		perSecond, err := run()
		if err != nil {
			return 0, err
		}
		n := perSecond * time.Since(begin).Seconds()
		after, err := b.cpuTime(ctx)
		return float64(after-before) / n, err
	}
}

func (b *bench) cpuTime(ctx context.Context) (int64, error) {
	there, err := core.Call[struct{}, int64](ctx, b.node.node, b.node.service("cpu"), struct{}{})
	return there + cpuTime(), err
}

// cpuTime is what this process has used, in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
