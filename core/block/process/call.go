package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// call is a call of this node that waits for its answer.
type call struct {
	node   name.Node
	answer chan result // room for one
}

type result struct {
	payload []byte
	err     error
}

// calls are the calls of this node that wait.
type calls struct {
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]*call
}

func (c *calls) add(node name.Node) (uint64, *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	w := &call{node: node, answer: make(chan result, 1)}
	c.waiting[c.next] = w
	return c.next, w
}

// take removes a call; nil if it does not wait any more, or waits for another node.
func (c *calls) take(id uint64, node name.Node) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting[id]
	if w == nil || w.node != node {
		return nil
	}
	delete(c.waiting, id)
	return w
}

func (c *calls) finish(id uint64, node name.Node, r result) {
	if w := c.take(id, node); w != nil {
		w.answer <- r
	}
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

func (c *calls) failAll(err error) { c.fail(err, func(*call) bool { return true }) }

// Call sends a message and waits for the answer. The deadline of ctx crosses the wire:
// it ends the handler's context too. Errors: ErrNoProcess, ErrNoConnection,
// ErrPanicked, ErrTooLarge, ErrStopped, the error of ctx, a *RemoteError with what the
// handler said, or why the node cannot be linked to.
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
	if err := checkSize(to, payload); err != nil {
		return nil, err
	}
	if to.Node == p.cfg.Node {
		return p.callHere(ctx, to, payload, flags)
	}
	id, w := p.calls.add(to.Node)
	defer p.calls.take(id, to.Node)
	f := &frame{kind: frameCall, call: id, flags: flags, left: millisLeft(ctx), sender: nodeID, target: to, payload: payload}
	item := outItem{data: f.encode(), lost: func(err error) { p.calls.finish(id, to.Node, result{err: err}) }}
	if err := p.enqueue(ctx, to.Node, to.shard(p.Self()), item); err != nil {
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
	p.tryEnqueue(node, replyShard, outItem{data: f.encode()})
}

func (p *Processes) callHere(ctx context.Context, to Target, payload []byte, flags byte) ([]byte, error) {
	proc, err := p.find(to)
	if err != nil {
		return nil, err
	}
	if flags&flagReceipt != 0 {
		return nil, proc.put(ctx, envelope{Message: Message{From: p.Self(), Payload: payload}})
	}
	answer := make(chan result, 1)
	e := envelope{Message: Message{From: p.Self(), Payload: payload, Call: true}, ctx: ctx}
	e.answer = func(out []byte, err error) { answer <- result{out, err} }
	if err := proc.put(ctx, e); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.payload, r.here(p.cfg.Node)
	case <-ctx.Done():
		return nil, fmt.Errorf("call %s: no answer: %w", to, ctx.Err())
	}
}

// here makes an error of a handler on this node look as it would from elsewhere, so
// that callers need not care where a process is.
func (r result) here(node name.Node) error {
	if r.err == nil {
		return nil
	}
	return remote(node, statusOf(r.err), r.err.Error())
}

func checkSize(to Target, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("message to %s: %d bytes, at most %d: %w", to, len(payload), MaxPayload, ErrTooLarge)
	}
	return nil
}

func millisLeft(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return uint64(max(time.Until(deadline).Milliseconds(), 1))
}

// Send puts a message on its way. It returns an error when there is no link and none
// can be made, or when the process is on this node and gone; past that it is
// delivered at most once, and counted as a dead letter if it cannot be.
func (p *Processes) Send(ctx context.Context, to Target, payload []byte) error {
	if err := checkSize(to, payload); err != nil {
		return err
	}
	if to.Node == p.cfg.Node {
		_, err := p.callHere(ctx, to, payload, flagReceipt)
		return err
	}
	f := &frame{kind: frameSend, sender: nodeID, target: to, payload: payload}
	item := outItem{data: f.encode(), lost: func(error) { p.dead.linkLost.Add(1) }}
	return p.enqueue(ctx, to.Node, to.shard(p.Self()), item)
}

// reply answers a call of another node.
func (p *Processes) reply(node name.Node, id uint64, out []byte, err error) {
	f := &frame{kind: frameReply, call: id, payload: out}
	if err != nil {
		f.status, f.payload = statusOf(err), clip(err)
	}
	item := outItem{data: f.encode(), lost: func(error) { p.dead.linkLost.Add(1) }}
	ctx, cancel := context.WithTimeout(context.Background(), replyPatience)
	defer cancel()
	if err := p.enqueue(ctx, node, replyShard, item); err != nil && !errors.Is(err, ErrStopped) {
		p.dead.linkLost.Add(1)
		p.cfg.Log.Debug("answer not sent", "node", node, "error", err)
	}
}

// replyPatience bounds how long an answer waits for a caller that reads too slowly.
const replyPatience = 10 * time.Second

const maxErrorText = 4 << 10

func clip(err error) []byte {
	text := []byte(err.Error())
	return text[:min(len(text), maxErrorText)]
}
