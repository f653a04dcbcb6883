package process

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of one call, for its handler. It ends with the caller,
// with the deadline of the call, or with the process. What costs is made only for a
// handler that waits for the end.
type callContext struct {
	caller   context.Context // if it is of this node
	deadline time.Time       // zero: none

	mu     sync.Mutex
	life   context.Context // of the process that handles the call
	ended  error           // why it has ended
	made   context.Context
	cancel context.CancelFunc
	undo   func() bool
}

var _ context.Context = (*callContext)(nil)

// begin ties the context to the process that handles the call.
func (c *callContext) begin(life context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = life
}

// Deadline is that of the caller.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Value has none: nothing of the caller crosses over.
func (c *callContext) Value(any) any { return nil }

// Done makes what is needed to wait.
func (c *callContext) Done() <-chan struct{} { return c.whole().Done() }

// AfterFunc lets package context wait without a goroutine.
func (c *callContext) AfterFunc(f func()) func() bool { return context.AfterFunc(c.whole(), f) }

// Err says why it has ended.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err()
}

func (c *callContext) err() error {
	switch {
	case c.made != nil && c.made.Err() != nil:
		return c.made.Err()
	case c.ended != nil:
		return c.ended
	case c.caller != nil && c.caller.Err() != nil:
		return c.caller.Err()
	case c.life != nil && c.life.Err() != nil:
		return context.Canceled
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

func (c *callContext) whole() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made != nil {
		return c.made
	}
	ended := c.err()
	life := c.life
	if life == nil {
		life = context.Background()
	}
	bare := context.WithoutCancel(life)
	if c.deadline.IsZero() {
		c.made, c.cancel = context.WithCancel(bare)
	} else {
		c.made, c.cancel = context.WithDeadline(bare, c.deadline)
	}
	if ended != nil {
		c.cancel()
		return c.made
	}
	fromLife := context.AfterFunc(life, c.cancel)
	fromCaller := func() bool { return true }
	if c.caller != nil {
		fromCaller = context.AfterFunc(c.caller, c.cancel)
	}
	c.undo = func() bool { life, caller := fromLife(), fromCaller(); return life && caller }
	return c.made
}

// end ends the context: the caller has left, or the call is over.
func (c *callContext) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = why
	}
	c.caller = nil // who keeps this keeps nothing of the caller
	if c.cancel != nil {
		c.cancel()
	}
	if c.undo != nil {
		c.undo()
		c.undo = nil
	}
}
