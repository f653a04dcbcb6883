package process

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Handler does the work of a process, message by message. What it returns answers a
// call; for a message that is no call it is ignored, but an error is logged. ctx ends
// when the caller gives up or is gone, when its deadline passes, or when the process is
// to end.
type Handler func(ctx context.Context, m Message) (any, error)

// ErrLater is what a Handler returns when it has kept the message and answers with
// Reply at another time.
var ErrLater = errors.New("answered later")

// serve is the body of a process with a handler.
func (s *Self) serve() error {
	proc := s.proc
	var slots chan struct{}
	if proc.spec.Workers > 1 {
		slots = make(chan struct{}, proc.spec.Workers)
		defer func() { // all have ended when the process has
			for range cap(slots) {
				slots <- struct{}{}
			}
		}()
	}
	for {
		if slots != nil && !proc.slot(slots) {
			return context.Cause(proc.life)
		}
		m, err := s.Receive(proc.life)
		if err != nil {
			proc.unslot(slots)
			return err
		}
		if err := proc.turn(slots, &m); err != nil {
			return err
		}
	}
}

// turn handles a message, or has it handled.
func (proc *Process) turn(slots chan struct{}, m *Message) error {
	if slots == nil {
		return proc.handle(m)
	}
	if proc.spec.InOrder && m.call == nil {
		defer proc.unslot(slots)
		return proc.handle(m)
	}
	proc.handleAside(slots, *m)
	return nil
}

func (proc *Process) slot(slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-proc.life.Done():
		return false
	}
}

func (proc *Process) unslot(slots chan struct{}) {
	if slots != nil {
		<-slots
	}
}

// handleAside handles a message on a goroutine of its own.
func (proc *Process) handleAside(slots chan struct{}, m Message) {
	run := func(context.Context) {
		defer proc.unslot(slots)
		if err := proc.handle(&m); err != nil {
			proc.die(err)
		}
	}
	if !proc.procs.cfg.Tasks.Go("worker", run) {
		proc.unslot(slots)
		proc.procs.pending.Add(-1)
		proc.procs.refuseMessage(m, ErrStopped)
	}
}

// handle runs the handler for one message. An error is the end of the process.
func (proc *Process) handle(m *Message) error {
	procs := proc.procs
	defer procs.pending.Add(-1)
	if proc.life.Err() != nil {
		procs.refuseMessage(*m, proc.gone())
		return nil
	}
	if m.call == nil {
		_, err, crash := proc.invoke(proc.life, m)
		if err != nil {
			procs.cfg.Log.Warn("message not handled", "process", proc.ref, "from", m.From, "error", err)
		}
		return crash
	}
	ctx := m.call.context(proc)
	if err := ctx.Err(); err != nil {
		m.call.answer(nil, fmt.Errorf("the call ended in the mailbox: %w: %w", err, ErrTimeout))
		return nil
	}
	answered := false
	defer func() {
		if !answered {
			m.call.answer(nil, fmt.Errorf("the handler ended its goroutine: %w", ErrPanicked))
		}
	}()
	value, err, crash := proc.invoke(ctx, m)
	answered = true
	if err == ErrLater { //nolint:errorlint // the very value
		return nil
	}
	m.call.answer(value, proc.explain(ctx, err))
	return crash
}

// explain tells a handler that was interrupted from one that failed.
func (proc *Process) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) && proc.life.Err() != nil:
		return fmt.Errorf("%w: %w", err, proc.gone())
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", err, ErrTimeout)
	}
	return err
}

// invoke contains what the handler does: panics become errors, even those of the error
// that it returns. crash is the panic if it ends the process.
func (proc *Process) invoke(ctx context.Context, m *Message) (value any, err, crash error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			proc.procs.cfg.Log.Error("handler panicked", "process", proc.ref, "panic", panicked, "stack", string(debug.Stack()))
			value, err = nil, fmt.Errorf("%v: %w", panicked, ErrPanicked)
			if proc.spec.PanicEnds {
				crash = err
			}
		}
	}()
	value, err = proc.spec.Handle(ctx, *m)
	if err != nil {
		_ = err.Error() // a text that panics does so here
	}
	return value, err, nil
}
