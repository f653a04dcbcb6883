package resolve

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

var (
	_ plugin.Part           = (*Resolver)(nil)
	_ plugin.HealthReporter = (*Resolver)(nil)
)

// Backend is one link of the chain.
type Backend struct {
	Name   string
	Plugin discovery.Plugin // started and stopped by somebody else
}

// Config says what a Resolver is made of. Zero durations and counts mean the default.
type Config struct {
	Backends []Backend     // in the order in which they are asked
	Log      *slog.Logger  // never nil
	Tasks    *plugin.Tasks // where goroutines run, of the resolver alone; never nil

	Timeout     time.Duration // of one question to one backend; 5 s
	TTL         time.Duration // of an answer that does not say; 5 s; negative: 0
	NegativeTTL time.Duration // of "not found" and "could not tell"; 1 s; negative: 0. Keep it below bootstrap.retry
	Capacity    int           // nodes that are remembered; 4096
}

// maxTTL bounds what a backend may ask for: an answer may be wrong without anybody
// noticing while a link is up.
const maxTTL = time.Hour

// Resolver is the chain. All methods are safe for concurrent use.
type Resolver struct {
	cfg      Config
	backends []*backend

	mu      sync.Mutex
	cache   *cache
	flights map[name.Node]*flight

	publishing publishing
}

// New makes a resolver. It can answer at once; Start makes it listen for changes.
func New(cfg Config) *Resolver {
	cfg = cfg.withDefaults()
	r := &Resolver{cfg: cfg, cache: newCache(cfg.Capacity), flights: map[name.Node]*flight{}}
	for _, b := range cfg.Backends {
		r.backends = append(r.backends, newBackend(b, cfg))
	}
	r.publishing.init()
	return r
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	c.TTL = orDefault(c.TTL, 5*time.Second)
	c.NegativeTTL = orDefault(c.NegativeTTL, time.Second)
	if c.Capacity <= 0 {
		c.Capacity = 4096
	}
	return c
}

func orDefault(d, usual time.Duration) time.Duration {
	if d == 0 {
		return usual
	}
	return max(d, 0)
}

// Start begins to listen to the backends that can watch, and to look after what is
// published.
func (r *Resolver) Start(context.Context) error {
	for _, b := range r.backends {
		if w, ok := b.plugin.(discovery.Watcher); ok {
			if !r.cfg.Tasks.Go("watch "+b.name, func(ctx context.Context) { r.watch(ctx, b, w) }) {
				return fmt.Errorf("resolver: cannot start while stopping")
			}
		}
	}
	if !r.cfg.Tasks.Go("publish", r.keepPublished) {
		return fmt.Errorf("resolver: cannot start while stopping")
	}
	return nil
}

// Stop ends what Start began, and every question that is on its way. What is published
// stays: Withdraw removes it.
func (r *Resolver) Stop(ctx context.Context) error { return r.cfg.Tasks.Stop(ctx) }

// Addresses is Resolve for those who only want to dial.
func (r *Resolver) Addresses(ctx context.Context, node name.Node) ([]name.Address, error) {
	resolution, err := r.Resolve(ctx, node)
	return resolution.Answer.Endpoints, err
}

// Resolve answers from memory or asks the chain; several who ask for one node at the
// same time share one walk along the chain. The error is a *NotFound, or the reason of
// ctx.
func (r *Resolver) Resolve(ctx context.Context, node name.Node) (Resolution, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Resolution{}, interrupted(node, err)
		}
		v, f, first := r.join(ctx, node)
		if f == nil {
			return v.tell(time.Now())
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			r.leave(node, f)
			return Resolution{}, interrupted(node, ctx.Err())
		}
		if first || !f.hurried {
			return f.verdict.tell(time.Now())
		}
	}
}

func interrupted(node name.Node, err error) error {
	return fmt.Errorf("discovery of %q: %w", node, err)
}

// Explain asks every backend, whatever is remembered and whoever answers first, and
// remembers nothing. Its answer is the one that Resolve would find now.
func (r *Resolver) Explain(ctx context.Context, node name.Node) Resolution {
	steps := make([]Step, len(r.backends))
	budget := share(ctx, r.cfg.Timeout, 1)
	var wg sync.WaitGroup
	for i, b := range r.backends {
		wg.Go(func() { steps[i] = r.ask(ctx, b, node, budget) })
	}
	wg.Wait()
	r.mu.Lock()
	good := r.cache.good(node)
	r.mu.Unlock()
	resolution, _ := conclude(node, steps, good).tell(time.Now()) // the steps tell the error
	resolution.Node = node
	return resolution
}

// Invalidate makes the next Resolve of node ask the chain: call it when no address of
// the last answer could be dialed. The zero Node means every node.
func (r *Resolver) Invalidate(node name.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if node.IsZero() {
		r.cache.expireAll()
		for n, f := range r.flights {
			f.outdated = true
			delete(r.flights, n)
		}
		return
	}
	r.cache.expire(node)
	if f := r.flights[node]; f != nil {
		f.outdated = true
		delete(r.flights, node)
	}
}
