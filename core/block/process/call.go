package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

type nodeName = name.Node

// call is a call of this node that waits for its answer from elsewhere.
type call struct {
	stream uint64      // generation of the stream that it was written to; 0: not yet
	answer chan result // room for one
}

type result struct {
	value any
	err   error
}

// calls are the calls of this node that wait for another.
type calls struct {
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]*call
}

func (c *calls) add() (uint64, *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	w := &call{answer: make(chan result, 1)}
	c.waiting[c.next] = w
	return c.next, w
}

// finish ends a call, unless it does not wait any more.
func (c *calls) finish(id uint64, value any, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiting[id]; w != nil {
		delete(c.waiting, id)
		w.answer <- result{value, err}
	}
}

// forget reports whether the call has not been answered.
func (c *calls) forget(id uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, waits := c.waiting[id]
	delete(c.waiting, id)
	return waits
}

// sent notes over which stream a call goes.
func (c *calls) sent(id, stream uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiting[id]; w != nil {
		w.stream = stream
	}
}

func (c *calls) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0
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

// failStream fails the calls that went over a stream of which not all was read.
func (c *calls) failStream(node name.Node, stream uint64) {
	err := fmt.Errorf("%s: the stream of the call broke: %w", node, ErrNoConnection)
	c.fail(err, func(w *call) bool { return w.stream == stream })
}

func everyCall(*call) bool { return true }

// Call sends a value and waits for the answer. The deadline of ctx crosses the wire: it
// ends the handler's context too. Errors: ErrNoProcess, ErrNoConnection (which wraps
// why the node cannot be linked to), ErrPanicked, ErrTooLarge, ErrUnknownType, ErrBusy,
// ErrStopped, ErrTimeout, the error of ctx, or a *RemoteError with what the handler
// said. It may be called from any goroutine.
func (p *Processes) Call(ctx context.Context, to Target, value any) (any, error) {
	return p.call(ctx, p.Self(), to, value, 0)
}

// Deliver is Send with a receipt: it returns when the message is in the mailbox, or
// with the reason why it is not.
func (p *Processes) Deliver(ctx context.Context, to Target, value any) error {
	_, err := p.call(ctx, p.Self(), to, value, flagReceipt)
	return err
}

// Send puts a value on its way. It returns an error when there is no link and none can
// be made, when the value cannot travel, or when the process is on this node and takes
// nothing; past that it is delivered at most once, and is a dead letter if it cannot
// be. It waits, as long as ctx lasts, for a receiver that has too much to do.
func (p *Processes) Send(ctx context.Context, to Target, value any) error {
	return p.send(ctx, p.Self(), to, value)
}

func (p *Processes) call(ctx context.Context, from name.Ref, to Target, value any, flags byte) (any, error) {
	if err := p.check(ctx, to); err != nil {
		return nil, err
	}
	if to.Node == p.cfg.Node {
		return p.callHere(ctx, from, to, value, flags)
	}
	payload, err := p.pack(to, value)
	if err != nil {
		return nil, err
	}
	defer p.types.unpack(payload)
	r := p.remote(to.Node)
	id, w := r.calls.add()
	deadline, _ := ctx.Deadline()
	m := parcel{kind: frameCall, call: id, flags: flags, deadline: deadline, sender: from.ID, payload: payload}
	if err := p.post(ctx, to, &m); err != nil {
		r.calls.forget(id)
		return nil, err
	}
	select {
	case got := <-w.answer:
		return got.value, got.err
	case <-ctx.Done():
		if r.calls.forget(id) {
			r.cancel(id)
		}
		return nil, &unanswered{to, ctx.Err()}
	}
}

// unanswered is the error of a call that has been sent: whether it is handled is not
// known.
type unanswered struct {
	to  Target
	err error
}

func (e *unanswered) Error() string { return fmt.Sprintf("call %s: no answer: %v", e.to, e.err) }
func (e *unanswered) Unwrap() error { return e.err }

// cancel tells the other node that nobody waits any more; it is a courtesy.
func (r *remote) cancel(id uint64) {
	r.outlets[replyShard].hand(item{quiet: true}, replyBytes, func(b []byte) []byte {
		return appendNumber(beginFrame(b, frameCancel), id)
	})
}

func (p *Processes) send(ctx context.Context, from name.Ref, to Target, value any) error {
	if err := p.check(ctx, to); err != nil {
		return err
	}
	if to.Node == p.cfg.Node {
		return p.sendHere(ctx, from, to, value)
	}
	m := parcel{kind: frameSend, sender: from.ID}
	if raw, ok := value.([]byte); ok && len(raw) > 0 && len(raw) <= p.cfg.MaxPayload { // as they are
		m.payload.codec, m.payload.data = Raw, raw
		return p.post(ctx, to, &m)
	}
	payload, err := p.pack(to, value)
	if err != nil {
		return err
	}
	m.payload = payload
	err = p.post(ctx, to, &m)
	p.types.unpack(payload)
	return err
}

// Cast is Send that waits for nobody: a message for which there is no room, or no link
// in the end, is a dead letter. Errors are those of values that cannot travel, and of a
// node that has stopped.
func (p *Processes) Cast(to Target, value any) error { return p.cast(p.Self(), to, value) }

func (p *Processes) cast(from name.Ref, to Target, value any) error {
	if err := p.check(context.Background(), to); err != nil {
		return err
	}
	var err error
	if to.Node == p.cfg.Node {
		err = p.offerHere(from, to, value)
	} else {
		payload, unfit := p.pack(to, value)
		if unfit != nil {
			return unfit
		}
		defer p.types.unpack(payload)
		err = p.post(context.Background(), to, &parcel{kind: frameSend, sender: from.ID, payload: payload, nowait: true})
	}
	if err != nil {
		p.deadLetter(from, to, err)
	}
	return nil
}

func (p *Processes) offerHere(from name.Ref, to Target, value any) error {
	proc, err := p.find(to)
	if err != nil {
		return err
	}
	size, err := p.measure(value)
	if err == nil {
		err = proc.box.offer(&entry{sender: from.ID, value: value, size: uint32(size)})
	}
	return err
}

// check refuses what could be sent to nobody.
func (p *Processes) check(ctx context.Context, to Target) error {
	switch {
	case to.Node.IsZero() || to.Ref.IsZero() && to.Service.IsZero():
		return fmt.Errorf("message to %q: name a node, and a service or a process there: %w", to.String(), ErrNoProcess)
	case p.isStopped():
		return fmt.Errorf("message to %s: %w", to, ErrStopped)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("message to %s: %w", to, err)
	}
	return nil
}

func (p *Processes) pack(to Target, value any) (packed, error) {
	payload, err := p.types.pack(value)
	switch {
	case err != nil:
		return packed{}, fmt.Errorf("message to %s: %w", to, err)
	case payload.size() > p.cfg.MaxPayload:
		p.types.unpack(payload)
		return packed{}, fmt.Errorf("message to %s: %d bytes, at most %d: %w", to, payload.size(), p.cfg.MaxPayload, ErrTooLarge)
	}
	return payload, nil
}

// callHere is a call of a process of this node. The value goes over as it is; errors
// are of the same kinds as from elsewhere.
func (p *Processes) callHere(ctx context.Context, from name.Ref, to Target, value any, flags byte) (any, error) {
	if flags&flagReceipt != 0 {
		return nil, p.sendHere(ctx, from, to, value)
	}
	size, err := p.measure(value)
	if err != nil {
		return nil, fmt.Errorf("message to %s: %w", to, err)
	}
	proc, err := p.find(to)
	if err != nil {
		return nil, localError(p.cfg.Node, err)
	}
	c := p.newLocalCall(ctx)
	done := c.done
	e := entry{sender: from.ID, value: value, reply: c, sort: aCall, size: uint32(size)}
	if err := proc.box.put(ctx, &e); err != nil {
		return nil, p.notPut(ctx, to, err)
	}
	select {
	case r := <-done:
		p.answers.Put(done)
		return r.value, r.err
	case <-ctx.Done():
		c.end(ctx.Err())
		return nil, &unanswered{to, ctx.Err()}
	}
}

func (p *Processes) notPut(ctx context.Context, to Target, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("message to %s: %w", to, err)
	}
	return localError(p.cfg.Node, err)
}

func (p *Processes) sendHere(ctx context.Context, from name.Ref, to Target, value any) error {
	size, err := p.measure(value)
	if err != nil {
		return fmt.Errorf("message to %s: %w", to, err)
	}
	proc, err := p.find(to)
	if err != nil {
		return localError(p.cfg.Node, err)
	}
	e := entry{sender: from.ID, value: value, size: uint32(size)}
	if err := proc.box.put(ctx, &e); err != nil {
		return p.notPut(ctx, to, err)
	}
	return nil
}

// measure is what a value of this node counts in a mailbox that is bounded in bytes.
func (p *Processes) measure(value any) (size int, err error) {
	switch v := value.(type) {
	case []byte:
		size = len(v)
	case string:
		size = len(v)
	}
	if size > p.cfg.MaxPayload {
		err = fmt.Errorf("%d bytes, at most %d: %w", size, p.cfg.MaxPayload, ErrTooLarge)
	}
	return size, err
}

// until is when a call that comes with so many milliseconds left has to be done.
func until(left uint32) time.Time {
	if left == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(left) * time.Millisecond)
}
