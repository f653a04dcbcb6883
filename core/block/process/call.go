package process

import (
	"context"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// call is a call of this node that waits for its answer.
type call struct {
	node   name.Node
	stream uint64      // generation of the stream that it was written to; 0: not yet
	answer chan result // room for one
}

type result struct {
	payload []byte
	err     error
}

// calls are the calls of this node that wait.
type calls struct {
	mu      sync.Mutex
	closed  bool
	next    uint64
	waiting map[uint64]*call
}

func (c *calls) add(node name.Node) (uint64, *call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, nil, ErrStopped
	}
	c.next++
	w := &call{node: node, answer: make(chan result, 1)}
	c.waiting[c.next] = w
	return c.next, w, nil
}

// finish ends a call, unless it does not wait any more, or waits for another node.
func (c *calls) finish(id uint64, node name.Node, r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiting[id]; w != nil && w.node == node {
		delete(c.waiting, id)
		w.answer <- r
	}
}

func (c *calls) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// sent notes over which stream a call goes; false if nobody waits for it any more.
func (c *calls) sent(id, stream uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting[id]
	if w != nil {
		w.stream = stream
	}
	return w != nil
}

// waitFor reports whether a call waits for a node.
func (c *calls) waitFor(node name.Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiting {
		if w.node == node {
			return true
		}
	}
	return false
}

func (c *calls) fail(err error, which func(*call) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, w := range c.waiting {
		if which(w) {
			delete(c.waiting, id)
			w.answer <- result{err: err}
		}
	}
}

func (c *calls) failNode(node name.Node, reason string) {
	err := fmt.Errorf("%s: link ended while the answer was awaited: %s: %w", node, reason, ErrNoConnection)
	c.fail(err, func(w *call) bool { return w.node == node })
}

// failStream fails the calls that went over a stream of which not all was read.
func (c *calls) failStream(node name.Node, stream uint64) {
	err := fmt.Errorf("%s: the stream of the call broke: %w", node, ErrNoConnection)
	c.fail(err, func(w *call) bool { return w.stream == stream })
}

func (c *calls) failAll(err error) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.fail(err, func(*call) bool { return true })
}

func (c *calls) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = false
}

// Call sends a message and waits for the answer. The deadline of ctx crosses the wire:
// it ends the handler's context too. Errors: ErrNoProcess, ErrNoConnection (which wraps
// why the node cannot be linked to), ErrPanicked, ErrTooLarge, ErrBusy, ErrStopped,
// ErrTimeout, the error of ctx, or a *RemoteError with what the handler said.
func (p *Processes) Call(ctx context.Context, to Target, payload []byte) ([]byte, error) {
	return p.call(ctx, to, payload, 0)
}

// Deliver is Send with a receipt: it returns when the message is in the mailbox, or
// with the reason why it is not.
func (p *Processes) Deliver(ctx context.Context, to Target, payload []byte) error {
	_, err := p.call(ctx, to, payload, flagReceipt)
	return err
}

func (p *Processes) call(ctx context.Context, to Target, payload []byte, flags byte) ([]byte, error) {
	if err := p.check(ctx, to, payload); err != nil {
		return nil, err
	}
	if to.Node == p.cfg.Node {
		return p.callHere(ctx, to, payload, flags)
	}
	if err := p.connect(ctx, to); err != nil {
		return nil, err
	}
	id, w, err := p.calls.add(to.Node)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", to, err)
	}
	defer p.calls.forget(id)
	f := &frame{kind: frameCall, call: id, flags: flags, sender: nodeID, target: to, payload: payload}
	deadline, _ := ctx.Deadline()
	if err := p.enqueue(ctx, to, outItem{data: f.encode(), call: id, deadline: deadline}); err != nil {
		return nil, err
	}
	select {
	case r := <-w.answer:
		return r.payload, r.err
	case <-ctx.Done():
		p.cancel(to.Node, id)
		return nil, fmt.Errorf("call %s: no answer: %w", to, ctx.Err())
	}
}

// cancel tells the other node that nobody waits any more; it is a courtesy.
func (p *Processes) cancel(node name.Node, id uint64) {
	f := &frame{kind: frameCancel, call: id}
	_, _ = p.hand(node, replyShard, outItem{data: f.encode(), quiet: true}, outletBytes)
}

// check refuses what could not be sent, or only to nobody.
func (p *Processes) check(ctx context.Context, to Target, payload []byte) error {
	switch {
	case to.Node.IsZero() || to.Ref.IsZero() && to.Service.IsZero():
		return fmt.Errorf("message to %q: name a node, and a service or a process there: %w", to.String(), ErrNoProcess)
	case len(payload) > MaxPayload:
		return fmt.Errorf("message to %s: %d bytes, at most %d: %w", to, len(payload), MaxPayload, ErrTooLarge)
	case ctx.Err() != nil:
		return fmt.Errorf("message to %s: %w", to, ctx.Err())
	}
	return nil
}

func (p *Processes) connect(ctx context.Context, to Target) error {
	if p.isStopped() {
		return fmt.Errorf("message to %s: %w", to, ErrStopped)
	}
	err := p.cfg.Network.Connect(ctx, to.Node)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, ErrNoConnection)
}

// Send puts a message on its way. It returns an error when there is no link and none
// can be made, or when the process is on this node and gone; past that it is
// delivered at most once, and counted as a dead letter if it cannot be.
func (p *Processes) Send(ctx context.Context, to Target, payload []byte) error {
	if err := p.check(ctx, to, payload); err != nil {
		return err
	}
	if to.Node == p.cfg.Node {
		_, err := p.callHere(ctx, to, payload, flagReceipt)
		return err
	}
	if err := p.connect(ctx, to); err != nil {
		return err
	}
	f := &frame{kind: frameSend, sender: nodeID, target: to, payload: payload}
	return p.enqueue(ctx, to, outItem{data: f.encode()})
}
