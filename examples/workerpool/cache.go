package main

import (
	"context"
	"strconv"
	"sync"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// cache is the workers as the caller knows them. Events keep it right; a Watcher begins
// with what is there, so there is no gap between looking and listening.
type cache struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	entries map[name.Ref]registry.Entry
	changed chan struct{} // closed, and replaced, with each change
}

func watch(ctx context.Context, n *core.Node) (*cache, error) {
	w, err := n.Watch("worker")
	if err != nil {
		return nil, err
	}
	c := &cache{done: make(chan struct{}), entries: map[name.Ref]registry.Entry{}, changed: make(chan struct{})}
	ctx, c.cancel = context.WithCancel(ctx)
	go c.follow(ctx, w)
	return c, nil
}

func (c *cache) close() {
	c.cancel()
	<-c.done
}

func (c *cache) follow(ctx context.Context, w *core.Watcher) {
	defer close(c.done)
	defer w.Close()
	for {
		e, err := w.Next(ctx)
		if err != nil {
			return
		}
		c.mu.Lock()
		switch e.Type {
		case registry.Registered, registry.Updated:
			c.entries[e.Entry.Ref] = e.Entry
		case registry.Unregistered, registry.EntryDown:
			delete(c.entries, e.Entry.Ref)
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

func (c *cache) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// load is what a worker last said of itself; 0 if it is not known.
func (c *cache) load(node string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, e := range c.entries {
		if ref.Node.String() == node {
			n, err := strconv.Atoi(e.Meta["load"])
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// until waits for something to be true of the cache.
func (c *cache) until(ctx context.Context, cond func() bool) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
