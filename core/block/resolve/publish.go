package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// refresh is how often what is published is published again, so that a backend that
// was restarted with nothing in its memory knows it too.
const refresh = 5 * time.Minute

// publishing is what this node says of itself.
type publishing struct {
	turn    chan struct{} // of capacity 1: one publishes or withdraws at a time
	changed chan struct{} // of capacity 1: there is something new to look after

	mu     sync.Mutex
	record *discovery.Record // nil: nothing
}

func (p *publishing) init() {
	p.turn, p.changed = make(chan struct{}, 1), make(chan struct{}, 1)
}

func (p *publishing) current() *discovery.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record
}

func (p *publishing) set(record *discovery.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record = record
}

// done ends a turn, and tells of what came of it.
func (p *publishing) done() {
	<-p.turn
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *publishing) lock(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Publish tells every backend that can publish where this node is, and keeps it so
// until Withdraw: what failed is tried again, with growing pauses, while the resolver
// runs. Publish again when an address changes. The error joins those of the backends;
// some of them may have published all the same.
func (r *Resolver) Publish(ctx context.Context, record discovery.Record) error {
	record.Endpoints = slices.Clone(record.Endpoints)
	if err := r.publishing.lock(ctx); err != nil {
		return interrupted(record.Node, err)
	}
	defer r.publishing.done()
	r.publishing.set(&record)
	return errors.Join(r.eachPublisher(func(b *backend, p discovery.Publisher) error {
		return r.publishTo(ctx, b, p, record)
	})...)
}

// Withdraw takes back what was published, from every backend that can publish: also
// from those that said they had failed to.
func (r *Resolver) Withdraw(ctx context.Context, node name.Node) error {
	if err := r.publishing.lock(ctx); err != nil {
		return interrupted(node, err)
	}
	defer r.publishing.done()
	r.publishing.set(nil)
	return errors.Join(r.eachPublisher(func(b *backend, p discovery.Publisher) error {
		b.published(nil)
		return r.publisherCall(ctx, b, "withdraw", func(ctx context.Context) error { return p.Withdraw(ctx, node) })
	})...)
}

// eachPublisher does something with all backends that can publish, at the same time,
// and returns the errors in the order of the chain.
func (r *Resolver) eachPublisher(do func(*backend, discovery.Publisher) error) []error {
	errs := make([]error, len(r.backends))
	var wg sync.WaitGroup
	for i, b := range r.backends {
		if p, ok := b.plugin.(discovery.Publisher); ok {
			wg.Go(func() { errs[i] = do(b, p) })
		}
	}
	wg.Wait()
	return errs
}

func (r *Resolver) publishTo(ctx context.Context, b *backend, p discovery.Publisher, record discovery.Record) error {
	record.Endpoints = slices.Clone(record.Endpoints)
	err := r.publisherCall(ctx, b, "publish", func(ctx context.Context) error { return p.Publish(ctx, record) })
	b.published(err)
	return err
}

// publisherCall is call with the backend's name in front of its error. A facade that
// turns out not to be able to publish has done all it can.
func (r *Resolver) publisherCall(ctx context.Context, b *backend, what string, f func(context.Context) error) error {
	err := b.call(ctx, share(ctx, r.cfg.Timeout, 1), what, f)
	if err == nil || errors.Is(err, plugin.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("discovery %s: %s: %w", b.name, what, err)
}

// keepPublished tries again what failed, and publishes everything again once in a
// while.
func (r *Resolver) keepPublished(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		wait, everywhere := refresh, true
		if r.anyUnpublished() {
			wait, everywhere = pause, false
		}
		if r.publishing.news(ctx, wait) {
			pause = firstPause
			continue
		}
		pause = min(2*pause, longestPause)
		r.publishAgain(ctx, everywhere)
	}
}

// news waits and reports whether something changed meanwhile.
func (p *publishing) news(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.changed:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// publishAgain publishes to the backends where it failed before, or everywhere.
func (r *Resolver) publishAgain(ctx context.Context, everywhere bool) {
	if r.publishing.lock(ctx) != nil {
		return
	}
	defer func() { <-r.publishing.turn }()
	record := r.publishing.current()
	if record == nil {
		return
	}
	renewed := *record
	renewed.Written = time.Now().UTC()
	r.eachPublisher(func(b *backend, p discovery.Publisher) error {
		before := b.missing()
		if before == nil && !everywhere {
			return nil
		}
		b.logPublished(before, r.publishTo(ctx, b, p, renewed))
		return nil
	})
}

func (r *Resolver) anyUnpublished() bool {
	return slices.ContainsFunc(r.backends, func(b *backend) bool { return b.missing() != nil })
}

// missing is why what should be published here is not; nil if it is.
func (b *backend) missing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unpublished
}

func (b *backend) published(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unpublished = err
}

// logPublished logs what nobody is told by a returned error, if it is news.
func (b *backend) logPublished(before, now error) {
	switch {
	case now == nil && before != nil:
		b.log.Info("published")
	case now != nil && (before == nil || before.Error() != now.Error()):
		b.log.Warn("cannot publish", withStack(now, "error", now)...)
	}
}
