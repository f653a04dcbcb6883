package resolve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// flight is one walk along the chain, shared by all who wait for it. done, verdict and
// hurried belong to the walk until done is closed; the rest is guarded by Resolver.mu.
type flight struct {
	done    chan struct{}
	verdict verdict
	hurried bool // the first caller's deadline cut it short: no verdict for others

	cancel   context.CancelCauseFunc
	waiters  int
	outdated bool // Invalidate was called meanwhile: remember nothing as fresh
}

// join returns what is remembered, or the flight to wait for; first tells whether the
// caller set it off, so that its deadline counts.
func (r *Resolver) join(ctx context.Context, node name.Node) (v verdict, f *flight, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.cache.current(node, time.Now()); ok {
		return v, nil, false
	}
	if f := r.flights[node]; f != nil {
		f.waiters++
		return verdict{}, f, false
	}
	f = &flight{done: make(chan struct{}), waiters: 1}
	var walk context.Context
	walk, f.cancel = detached(ctx)
	started := r.cfg.Tasks.Go("resolve", func(stop context.Context) {
		defer context.AfterFunc(stop, func() { f.cancel(errStopping) })()
		defer f.cancel(nil)
		r.fly(walk, node, f)
	})
	if !started {
		f.cancel(nil)
		return verdict{err: interrupted(node, errStopping)}, nil, true
	}
	r.flights[node] = f
	return verdict{}, f, true
}

// detached keeps the deadline of ctx and not its end: the walk goes on while anybody
// waits for it.
func detached(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	walk, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	deadline, ok := ctx.Deadline()
	if !ok {
		return walk, cancel
	}
	walk, expire := context.WithDeadline(walk, deadline)
	return walk, func(cause error) {
		cancel(cause)
		expire()
	}
}

// leave gives up waiting; the last to leave ends the flight.
func (r *Resolver) leave(node name.Node, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel(nil)
	if r.flights[node] == f {
		delete(r.flights, node)
	}
}

// fly walks along the chain and remembers what came of it.
func (r *Resolver) fly(ctx context.Context, node name.Node, f *flight) {
	steps, hurried := r.walk(ctx, node)
	r.mu.Lock()
	defer r.mu.Unlock()
	v := conclude(node, steps, r.cache.good(node))
	if ctx.Err() != nil && v.err != nil && !errors.Is(v.err, discovery.ErrNotFound) {
		v.err = fmt.Errorf("%w: %w", context.Cause(ctx), v.err) // it says more of the caller than of the backends
	}
	f.verdict, f.hurried = v, hurried && !v.fresh()
	r.remember(node, f)
	if r.flights[node] == f {
		delete(r.flights, node)
	}
	close(f.done)
}

// walk asks one backend after the other until one knows node. It reports whether a
// backend had less than the usual time, and that was not enough.
func (r *Resolver) walk(ctx context.Context, node name.Node) (steps []Step, hurried bool) {
	steps = make([]Step, 0, len(r.backends))
	found := false
	for i, b := range r.backends {
		if found {
			steps = append(steps, Step{Backend: b.name, Outcome: Skipped})
			continue
		}
		step := r.ask(ctx, b, node, share(ctx, r.cfg.Timeout, len(r.backends)-i))
		found = step.Outcome == Hit
		hurried = hurried || step.hurried
		steps = append(steps, step)
	}
	return steps, hurried || ctx.Err() != nil
}

// share is how long one of so many backends may take: the usual time, or an equal part
// of what the caller has left with one part kept for the dial.
func share(ctx context.Context, usual time.Duration, backends int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return usual
	}
	return min(usual, time.Until(deadline)/time.Duration(backends+1))
}

// remember puts the verdict of a flight into the cache. The caller holds r.mu.
func (r *Resolver) remember(node name.Node, f *flight) {
	now := time.Now()
	switch {
	case f.hurried:
	case f.outdated && f.verdict.fresh():
		r.cache.put(node, f.verdict, now) // expired already, but the last good answer
	case f.outdated:
	case f.verdict.fresh():
		r.cache.put(node, f.verdict, now.Add(f.verdict.ttl))
	default:
		r.cache.put(node, f.verdict, now.Add(r.cfg.NegativeTTL))
	}
}
