package resolve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

const (
	maxHanging   = 32          // calls that a backend may leave unanswered for good
	maxEndpoints = 16          // of one answer; the rest is cut off
	logAgain     = time.Minute // after which the same failure is worth another line
	fairTime     = time.Second // who had less and did not answer cannot be blamed
)

var (
	errNoEndpoints = errors.New("answered without endpoints")
	errHanging     = errors.New("too many calls have not returned: not asked")
	errStopping    = fmt.Errorf("the resolver is stopping: %w", plugin.ErrGone)
)

// backend is a link of the chain and what is known of how it does.
type backend struct {
	name   string
	plugin discovery.Plugin
	log    *slog.Logger
	tasks  *plugin.Tasks
	ttl    time.Duration // of answers that do not say

	mu          sync.Mutex
	hanging     int // calls that nobody waits for any more
	lastFailure error
	failedAt    time.Time
	answeredAt  time.Time // the last hit or miss
	unpublished error     // why what should be published here is not
	warned      string    // the last failure that was logged
	warnedAt    time.Time
}

func newBackend(b Backend, cfg Config) *backend {
	return &backend{
		name: b.Name, plugin: b.Plugin, tasks: cfg.Tasks, ttl: cfg.TTL,
		log: cfg.Log.With("backend", b.Name),
	}
}

// ask asks one backend, for budget at most.
func (r *Resolver) ask(ctx context.Context, b *backend, node name.Node, budget time.Duration) Step {
	began := time.Now()
	answer, err := b.lookup(ctx, node, budget)
	step := Step{Backend: b.name, Took: Duration(time.Since(began)), err: err}
	switch {
	case err == nil:
		step.Outcome, step.Endpoints = Hit, answer.Endpoints
		step.ttl, step.asOf = b.keepFor(answer.TTL), answer.AsOf
		if step.asOf.IsZero() {
			step.asOf = time.Now()
		}
	case errors.Is(err, discovery.ErrNotFound):
		step.Outcome = Miss
		if err != discovery.ErrNotFound { //nolint:errorlint // only the bare value has nothing more to say
			step.Error = err.Error()
		}
	default:
		step.Outcome, step.Error = Failed, err.Error()
		step.hurried = errors.Is(err, errStopping) ||
			budget < min(fairTime, r.cfg.Timeout) && errors.Is(err, context.DeadlineExceeded)
	}
	if ctx.Err() == nil && !step.hurried { // else it is the caller's doing
		b.judge(node, step)
	}
	return step
}

func (b *backend) keepFor(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return b.ttl
	}
	return min(ttl, maxTTL)
}

func (b *backend) lookup(ctx context.Context, node name.Node, budget time.Duration) (discovery.Answer, error) {
	var answer discovery.Answer
	err := b.call(ctx, budget, "lookup", func(ctx context.Context) (err error) {
		answer, err = b.plugin.Lookup(ctx, node)
		return err
	})
	if err != nil {
		return discovery.Answer{}, err // and answer is not touched: a late call may still write it
	}
	answer.Endpoints = usable(answer.Endpoints)
	if len(answer.Endpoints) == 0 {
		return discovery.Answer{}, errNoEndpoints
	}
	return answer, nil
}

func usable(endpoints []name.Address) []name.Address {
	var out []name.Address
	for _, e := range endpoints {
		if !e.IsZero() && !slices.Contains(out, e) && len(out) < maxEndpoints {
			out = append(out, e)
		}
	}
	return out
}

// call runs f with a time limit that holds even if f ignores it, and turns a panic
// into an error. A call that does not return in time is left behind, and counted.
func (b *backend) call(ctx context.Context, budget time.Duration, what string, f func(context.Context) error) error {
	if b.hangs() {
		return errHanging
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, expire := context.WithTimeoutCause(ctx, budget, fmt.Errorf("no answer within %v: %w", budget.Round(time.Millisecond), context.DeadlineExceeded))
	defer expire()
	c := &call{done: make(chan error, 1)}
	started := b.tasks.Go(what+" "+b.name, func(stop context.Context) {
		defer context.AfterFunc(stop, func() { cancel(errStopping) })()
		c.done <- contained(ctx, what+" "+b.name, f)
		b.returned(c)
	})
	if !started {
		return errStopping
	}
	select {
	case err := <-c.done:
		return cause(ctx, err)
	case <-ctx.Done():
		b.abandon(c)
		return context.Cause(ctx)
	}
}

// cause says of an error that only echoes the end of ctx why it ended.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// contained runs f and returns its panic as an error that knows the stack.
func contained(ctx context.Context, task string, f func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = plugin.Panic{Task: task, Value: value, Stack: debug.Stack()}
		}
	}()
	return f(ctx)
}

type call struct {
	done      chan error
	abandoned bool // guarded by backend.mu, as is
	over      bool
}

func (b *backend) hangs() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hanging >= maxHanging
}

func (b *backend) abandon(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !c.over {
		c.abandoned = true
		b.hanging++
	}
}

func (b *backend) returned(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.over = true
	if c.abandoned {
		b.hanging--
	}
}

// judge notes what a backend said, and logs a failure that is news.
func (b *backend) judge(node name.Node, step Step) {
	if step.Outcome == Miss {
		b.log.Debug("discovery miss", "node", node, "host", node.Host(), "reason", step.Error)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if step.Outcome != Failed {
		b.answeredAt = now
		return
	}
	b.lastFailure, b.failedAt = step.err, now
	if step.Error == b.warned && now.Sub(b.warnedAt) < logAgain {
		return
	}
	b.warned, b.warnedAt = step.Error, now
	b.log.Warn("discovery backend could not tell", withStack(step.err, "node", node, "error", step.err)...)
}

func withStack(err error, fields ...any) []any {
	if p, ok := errors.AsType[plugin.Panic](err); ok {
		return append(fields, "stack", string(p.Stack))
	}
	return fields
}
