package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// DefaultMailbox is how many messages wait for a process unless its Spec says so.
const DefaultMailbox = 1024

// Message is what a handler gets.
type Message struct {
	From    name.Ref // the sending process, or its node
	Payload []byte   // the handler's to keep
	Call    bool     // an answer is awaited
}

// Handler does the work of a process. What it returns answers a call; for a message
// that is no call it is ignored, but an error is logged. ctx ends when the caller
// gives up, its deadline passes, or the process stops.
type Handler func(ctx context.Context, m Message) ([]byte, error)

// Spec says what a process is.
type Spec struct {
	Handle  Handler
	Mailbox int // messages that may wait; 0: DefaultMailbox
	Workers int // messages handled at the same time; 0: one, in order
}

// Process is one process. All methods are safe for concurrent use.
type Process struct {
	procs *Processes
	ref   name.Ref
	spec  Spec
	box   chan envelope
	life  context.Context // ends when the process stops; parent of what handlers get
	end   context.CancelFunc
	once  sync.Once
}

// envelope is a message with the way back.
type envelope struct {
	Message
	deadline time.Time           // zero: none
	ctx      context.Context     // of the caller; nil for a message
	receipt  func()              // nil, or: the message is in the mailbox
	answer   func([]byte, error) // nil for a message
}

// Spawn starts a process.
func (p *Processes) Spawn(spec Spec) (*Process, error) {
	if spec.Mailbox <= 0 {
		spec.Mailbox = DefaultMailbox
	}
	spec.Workers = max(spec.Workers, 1)
	proc := &Process{
		procs: p, spec: spec,
		ref: name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: p.nextID.Add(1)},
		box: make(chan envelope, spec.Mailbox),
	}
	proc.life, proc.end = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, fmt.Errorf("spawn: %w", ErrStopped)
	}
	for range spec.Workers {
		if !p.cfg.Tasks.Go("process", proc.run) {
			proc.once.Do(proc.end)
			return nil, fmt.Errorf("spawn: %w", ErrStopped)
		}
	}
	p.procs[proc.ref.ID] = proc
	return proc, nil
}

// Ref is the reference of the process.
func (proc *Process) Ref() name.Ref { return proc.ref }

// Stop ends the process and takes its names away. Calls that wait in its mailbox get
// ErrNoProcess. It does not wait for a handler that runs.
func (proc *Process) Stop() {
	proc.once.Do(func() {
		proc.procs.forget(proc)
		proc.end()
	})
}

func (p *Processes) forget(proc *Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.procs, proc.ref.ID)
	for service := range p.names {
		p.unbind(service, proc)
	}
}

func (proc *Process) run(ctx context.Context) {
	defer context.AfterFunc(ctx, proc.Stop)()
	for {
		select {
		case <-proc.life.Done():
			proc.refuseWaiting()
			return
		case e := <-proc.box:
			proc.handle(e)
		}
	}
}

func (proc *Process) refuseWaiting() {
	for {
		select {
		case e := <-proc.box:
			e.finish(nil, fmt.Errorf("%s: %w", proc.ref, ErrNoProcess))
		default:
			return
		}
	}
}

// handle runs the handler for one message. The context of a call ends with the
// caller's, with its deadline, or with the process.
func (proc *Process) handle(e envelope) {
	ctx, cancel := context.WithCancel(proc.life)
	defer cancel()
	if e.ctx != nil {
		defer context.AfterFunc(e.ctx, cancel)()
	}
	if !e.deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, e.deadline)
		defer stop()
		if ctx.Err() != nil {
			e.finish(nil, fmt.Errorf("deadline passed in the mailbox: %w", ErrTimeout))
			return
		}
	}
	out, err := proc.call(ctx, e.Message)
	if err != nil && e.answer == nil {
		proc.procs.cfg.Log.Warn("message not handled", "process", proc.ref, "from", e.From, "error", err)
	}
	if len(out) > MaxPayload {
		out, err = nil, fmt.Errorf("answer: %d bytes, at most %d: %w", len(out), MaxPayload, ErrTooLarge)
	}
	e.finish(out, err)
}

func (proc *Process) call(ctx context.Context, m Message) (out []byte, err error) {
	defer func() {
		if value := recover(); value != nil {
			proc.procs.cfg.Log.Error("handler panicked", "process", proc.ref, "panic", value, "stack", string(debug.Stack()))
			err = fmt.Errorf("%v: %w", value, ErrPanicked)
		}
	}()
	return proc.spec.Handle(ctx, m)
}

func (e *envelope) finish(out []byte, err error) {
	if e.answer != nil {
		e.answer(out, err)
	}
}

// put waits for room in the mailbox: that is the back-pressure on the sender.
func (proc *Process) put(ctx context.Context, e envelope) error {
	if proc.life.Err() != nil {
		return fmt.Errorf("%s: %w", proc.ref, ErrNoProcess)
	}
	select {
	case proc.box <- e:
	case <-proc.life.Done():
		return fmt.Errorf("%s: %w", proc.ref, ErrNoProcess)
	case <-ctx.Done():
		return fmt.Errorf("mailbox of %s is full: %w", proc.ref, context.Cause(ctx))
	}
	if e.receipt != nil {
		e.receipt()
	}
	if proc.life.Err() != nil {
		proc.refuseWaiting() // the process may have looked for the last time before us
	}
	return nil
}
