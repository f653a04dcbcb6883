package process

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// handle runs the handler for one message.
func (proc *Process) handle(e envelope) {
	defer proc.procs.pending.Add(-1)
	proc.bytes.give(len(e.Payload))
	proc.stuck.Store(false)
	ctx, cancel := proc.context(e)
	defer cancel()
	if ctx.Err() != nil && e.finish != nil {
		e.finish(answer{status: statusTimeout, text: "the call ended in the mailbox: " + ctx.Err().Error()})
		return
	}
	result := answer{status: statusPanicked, text: "the handler ended its goroutine"}
	defer func() { proc.finish(e, result) }()
	result = proc.call(ctx, e.Message)
}

// context is what the handler gets. That of a call ends with the caller's, with its
// deadline, or with the process.
func (proc *Process) context(e envelope) (context.Context, context.CancelFunc) {
	if e.ctx == nil {
		return context.WithCancel(proc.life)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	stop := context.AfterFunc(proc.life, cancel)
	return ctx, func() { stop(); cancel() }
}

func (proc *Process) finish(e envelope, result answer) {
	if e.finish != nil {
		e.finish(result)
		return
	}
	if result.status != statusOK {
		proc.procs.cfg.Log.Warn("message not handled", "process", proc.ref, "from", e.From, "error", result.text)
	}
}

// call contains what the handler does: panics become answers, even those of the error
// that it returns.
func (proc *Process) call(ctx context.Context, m Message) (result answer) {
	defer func() {
		if value := recover(); value != nil {
			proc.procs.cfg.Log.Error("handler panicked", "process", proc.ref, "panic", value, "stack", string(debug.Stack()))
			result = failed(fmt.Errorf("%v: %w", value, ErrPanicked))
		}
	}()
	out, err := proc.spec.Handle(ctx, m)
	switch {
	case err == nil && len(out) > MaxPayload:
		return failed(fmt.Errorf("answer: %d bytes, at most %d: %w", len(out), MaxPayload, ErrTooLarge))
	case err == nil:
		return answer{payload: out}
	case errors.Is(err, context.Canceled) && proc.life.Err() != nil:
		return failed(fmt.Errorf("%w: %w", err, proc.ended()))
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failed(fmt.Errorf("%w: %w", err, ErrTimeout))
	}
	return failed(err)
}
