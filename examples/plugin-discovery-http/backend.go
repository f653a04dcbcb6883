package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Factory makes the plugin.
func Factory() discovery.Factory {
	return plugin.Define("http", "a JSON document on a web server", defaults,
		func(env discovery.Env, s *Settings) (discovery.Plugin, error) {
			return &backend{env: env, settings: *s, source: newSource(s)}, nil
		})
}

type backend struct {
	env      discovery.Env
	settings Settings
	source   *source

	mu       sync.Mutex
	have     *document
	problem  error // why the last question failed; nil if it did not
	watchers map[chan name.Node]struct{}
	running  bool
}

var (
	_ discovery.Plugin      = (*backend)(nil)
	_ discovery.Lister      = (*backend)(nil)
	_ discovery.Watcher     = (*backend)(nil)
	_ plugin.HealthReporter = (*backend)(nil)
)

// Start asks once. A server that is away now may come back, so that is no reason not
// to start; it is one to be degraded.
func (b *backend) Start(ctx context.Context) error {
	b.mu.Lock()
	b.running, b.watchers = true, map[chan name.Node]struct{}{}
	b.mu.Unlock()
	b.refresh(ctx)
	b.env.Tasks.Go("poll", b.poll)
	return nil
}

// Stop ends the polling and every watch.
func (b *backend) Stop(ctx context.Context) error {
	err := b.env.Tasks.Stop(ctx)
	b.source.client.CloseIdleConnections()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = false
	for w := range b.watchers {
		close(w)
	}
	b.watchers = nil
	return err
}

func (b *backend) poll(ctx context.Context) {
	ticker := time.NewTicker(b.settings.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh asks the server and tells of what has changed.
func (b *backend) refresh(ctx context.Context) {
	b.mu.Lock()
	had, problem := b.have, b.problem
	b.mu.Unlock()
	have, err := b.source.fetch(ctx, had)
	if ctx.Err() != nil {
		return
	}
	if err != nil && (problem == nil || problem.Error() != err.Error()) {
		b.env.Log.WarnContext(ctx, "cannot read the document", "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problem = err
	if err == nil && have != had {
		b.have = have
		b.tell(had, have)
	}
}

// tell needs the lock. A watcher that is too slow hears that anything may have changed.
func (b *backend) tell(had, have *document) {
	for _, node := range have.changedSince(had) {
		for w := range b.watchers {
			select {
			case w <- node:
			default:
				select { // make room for the one word that stands for all
				case <-w:
				default:
				}
				select {
				case w <- name.Node{}:
				default:
				}
			}
		}
	}
}

// Lookup answers from the last document.
func (b *backend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.have == nil {
		return discovery.Answer{}, fmt.Errorf("no document yet: %w", b.problem)
	}
	endpoints, known := b.have.nodes[node]
	if !known {
		return discovery.Answer{}, discovery.ErrNotFound
	}
	return discovery.Answer{Endpoints: slices.Clone(endpoints), TTL: b.settings.Poll, AsOf: b.have.read}, nil
}

// List is the whole document.
func (b *backend) List(ctx context.Context) (discovery.Listing, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Listing{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.have == nil {
		return discovery.Listing{}, fmt.Errorf("no document yet: %w", b.problem)
	}
	return b.have.listing(), nil
}

// Watch tells of nodes whose addresses have changed.
func (b *backend) Watch(ctx context.Context) (<-chan name.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return nil, plugin.ErrGone
	}
	w := make(chan name.Node, 16)
	b.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, open := b.watchers[w]; open {
			delete(b.watchers, w)
			close(w)
		}
	})
	return w, nil
}

// Health is degraded while the server does not answer.
func (b *backend) Health() plugin.Health {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.running:
		return plugin.Health{State: plugin.Stopped}
	case b.problem != nil:
		return plugin.Health{State: plugin.Degraded, Detail: b.problem.Error()}
	}
	return plugin.Health{State: plugin.Healthy, Detail: fmt.Sprintf("%d nodes", len(b.have.nodes))}
}
