package process

import (
	"bytes"
	"context"
	"fmt"
)

// callHere is a call of a process of this node. It looks as it would from elsewhere, so
// that callers need not care where a process is: neither side sees the other's bytes
// or the values of its context, and errors are of the same kinds.
func (p *Processes) callHere(ctx context.Context, to Target, payload []byte, flags byte) ([]byte, error) {
	proc, err := p.find(to)
	if err != nil {
		return failed(err).read(p.cfg.Node)
	}
	e := envelope{Message: Message{From: p.Self(), Payload: own(payload)}}
	if flags&flagReceipt != 0 {
		return nil, p.putHere(ctx, proc, to, e)
	}
	result := make(chan answer, 1)
	e.Call = true
	e.finish = func(a answer) { result <- a }
	bare, cancel := bareContext(ctx)
	defer cancel()
	e.ctx = bare
	if err := p.putHere(ctx, proc, to, e); err != nil {
		return nil, err
	}
	select {
	case a := <-result:
		a.payload = own(a.payload)
		return a.read(p.cfg.Node)
	case <-ctx.Done():
		return nil, fmt.Errorf("call %s: no answer: %w", to, ctx.Err())
	}
}

func (p *Processes) putHere(ctx context.Context, proc *Process, to Target, e envelope) error {
	err := proc.put(ctx, e)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("message to %s: its mailbox is full: %w", to, ctx.Err())
	}
	_, err = failed(err).read(p.cfg.Node)
	return err
}

// bareContext ends when ctx does and has its deadline, but not its values.
func bareContext(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	bare, cancel := until(deadline)
	stop := context.AfterFunc(ctx, cancel)
	return bare, func() { stop(); cancel() }
}

// own is a copy, nil if there is nothing.
func own(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}
