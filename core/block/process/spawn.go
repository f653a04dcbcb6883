package process

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Body is what a process does. ctx ends when the process is told to end; then it should
// return soon. What it returns is the reason of its end: nil for a normal one.
type Body func(ctx context.Context, self *Self) error

// Spec says what a process is: either Run or Handle is set.
type Spec struct {
	Run    Body    // reads its mailbox itself
	Handle Handler // is called for each message

	Mailbox int    // messages that may wait; 0: DefaultMailbox
	Policy  Policy // what becomes of others
	Workers int    // messages handled at the same time by Handle; 0: one, in order
	InOrder bool   // with Workers too, messages that are no calls are handled one after the other

	// PanicEnds makes a panic of Handle the end of the process, for one that somebody
	// restarts. Otherwise it is an error to the caller and nothing more.
	PanicEnds bool
	Trap      bool       // starts as one that traps exits
	Links     []name.Ref // linked before it runs

	started func(*Process) // called before it runs
}

// Process is one process. All methods are safe for concurrent use.
type Process struct {
	procs *Processes
	ref   name.Ref
	spec  Spec
	box   mailbox
	tab   tab

	life context.Context // ends when the process is to end; parent of what handlers get
	end  context.CancelCauseFunc
	done chan struct{} // closed when nothing of it runs any more

	names []name.Service // bound to it; guarded by procs.mu

	mu      sync.Mutex
	dead    bool // to all others
	told    bool // those who watch it
	trap    bool
	reason  error
	watches []watch
	links   []name.Ref
	keeper  *keeper // of a supervisor
}

// Spawn starts a process.
func (p *Processes) Spawn(spec Spec) (*Process, error) {
	if (spec.Run == nil) == (spec.Handle == nil) {
		return nil, errors.New("spawn: set Run or Handle")
	}
	proc := &Process{
		procs: p, spec: spec, trap: spec.Trap, done: make(chan struct{}),
		ref: name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: p.nextID.Add(1)},
	}
	proc.box.init(spec.Mailbox, spec.Policy)
	if spec.Handle != nil {
		proc.box.pending = &p.pending
	}
	proc.life, proc.end = context.WithCancelCause(context.Background())
	if err := p.adopt(proc); err != nil {
		proc.end(err)
		return nil, err
	}
	return proc, nil
}

func (p *Processes) adopt(proc *Process) error {
	p.mu.Lock()
	stopped := p.stopped
	if !stopped {
		p.procs[proc.ref.ID] = proc
	}
	p.mu.Unlock()
	if !stopped {
		for _, other := range proc.spec.Links {
			p.link(proc, other)
		}
		if proc.spec.started != nil {
			proc.spec.started(proc)
		}
		if p.cfg.Tasks.Go("process", proc.run) {
			return nil
		}
		p.forget(proc)
	}
	return fmt.Errorf("spawn: %w", ErrStopped)
}

// Ref is the reference of the process.
func (proc *Process) Ref() name.Ref { return proc.ref }

// Done is closed when the process has ended and nothing of it runs any more.
func (proc *Process) Done() <-chan struct{} { return proc.done }

// Reason is why the process ended, nil for a normal end; it is known after Done.
func (proc *Process) Reason() error {
	proc.mu.Lock()
	defer proc.mu.Unlock()
	return proc.reason
}

// Stop ends the process and takes its names away. Calls that wait in its mailbox get
// ErrNoProcess, messages become dead letters. It does not wait for a handler that runs.
func (proc *Process) Stop() { proc.die(ErrShutdown) }

// die takes the process out of the world; its body is told to end. The first reason
// decides.
func (proc *Process) die(reason error) {
	proc.mu.Lock()
	if proc.dead {
		proc.mu.Unlock()
		return
	}
	proc.dead, proc.reason = true, reason
	proc.mu.Unlock()
	proc.procs.forget(proc)
	proc.end(reason)
	proc.procs.refuseAll(proc.box.close(proc.gone()))
}

// gone is the error for what comes after the end of the process.
func (proc *Process) gone() error {
	if proc.procs.isStopped() {
		return fmt.Errorf("%s: %w", proc.ref, ErrStopped)
	}
	return fmt.Errorf("%s: it has ended: %w", proc.ref, ErrNoProcess)
}

func (p *Processes) forget(proc *Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.procs, proc.ref.ID)
	for _, service := range slices.Clone(proc.names) {
		p.unbind(service, proc)
	}
}

// run is the goroutine of the process.
func (proc *Process) run(context.Context) {
	over := false
	var reason error
	defer func() { proc.rest(over, reason) }()
	reason = proc.contained()
	over = true
}

// rest ends a goroutine. If it was ended under a handler (runtime.Goexit, as the testing
// package does), another takes its place.
func (proc *Process) rest(over bool, reason error) {
	if !over {
		if proc.spec.Handle != nil && proc.life.Err() == nil && proc.procs.cfg.Tasks.Go("process", proc.run) {
			return
		}
		reason = fmt.Errorf("it ended its goroutine: %w", ErrPanicked)
	}
	proc.tab.settle()
	proc.die(reason)
	proc.tell()
	close(proc.done)
}

// contained runs the body; a panic is the reason of its end.
func (proc *Process) contained() (reason error) {
	defer func() {
		if value := recover(); value != nil {
			proc.procs.cfg.Log.Error("process panicked", "process", proc.ref, "panic", value, "stack", string(debug.Stack()))
			reason = fmt.Errorf("%v: %w", value, ErrPanicked)
		}
	}()
	self := &Self{proc: proc}
	if proc.spec.Handle != nil {
		return self.serve()
	}
	return proc.spec.Run(proc.life, self)
}
