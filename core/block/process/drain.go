package process

import (
	"context"
	"fmt"
	"time"
)

// drainStep is how often Drain looks whether the work is done.
const drainStep = 5 * time.Millisecond

// Drain lets a node stop without cutting anybody short: from now on messages and calls
// of other nodes are refused with ErrStopped, and Drain returns when what is in the
// mailboxes of handlers has been handled and the answers have been written, or when ctx
// ends. Start takes work again.
func (p *Processes) Drain(ctx context.Context) error {
	p.draining.Store(true)
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for !p.drained() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("drain: %d messages are not handled yet: %w", p.pending.Load(), ctx.Err())
		}
	}
	return nil
}

// flushTime is for how long a stop waits for a peer that reads slowly.
const flushTime = 50 * time.Millisecond

// flush waits until what was queued for other nodes has been written.
func (p *Processes) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for !p.flushed() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Processes) drained() bool { return p.pending.Load() <= 0 && p.flushed() }

func (p *Processes) flushed() bool {
	for _, r := range p.remotes.list() {
		for i := range r.outlets {
			if !r.outlets[i].empty() {
				return false
			}
		}
	}
	return true
}
