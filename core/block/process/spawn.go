package process

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Message is what a handler gets.
type Message struct {
	From    name.Ref // the sending process, or its node
	Payload []byte   // the handler's to keep; nil if it is empty
	Call    bool     // an answer is awaited
}

// Handler does the work of a process. What it returns answers a call; for a message
// that is no call it is ignored, but an error is logged. ctx ends when the caller
// gives up or is gone, when its deadline passes, or when the process stops.
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
	bytes budget // of the payloads in box
	stuck atomic.Bool

	life    context.Context // ends when the process stops; parent of what handlers get
	end     context.CancelFunc
	once    sync.Once
	working atomic.Int32  // workers
	done    chan struct{} // closed when there are none any more

	names []name.Service // bound to it; guarded by procs.mu
}

// Spawn starts a process.
func (p *Processes) Spawn(spec Spec) (*Process, error) {
	if spec.Mailbox <= 0 {
		spec.Mailbox = DefaultMailbox
	}
	spec.Workers = max(spec.Workers, 1)
	proc := &Process{
		procs: p, spec: spec,
		ref:   name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: p.nextID.Add(1)},
		box:   make(chan envelope, spec.Mailbox),
		bytes: budget{limit: mailboxBytes},
		done:  make(chan struct{}),
	}
	proc.life, proc.end = context.WithCancel(context.Background())
	if err := p.adopt(proc); err != nil {
		proc.end()
		return nil, err
	}
	return proc, nil
}

func (p *Processes) adopt(proc *Process) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return fmt.Errorf("spawn: %w", ErrStopped)
	}
	for range proc.spec.Workers {
		proc.working.Add(1)
		if !p.cfg.Tasks.Go("process", proc.run) {
			proc.working.Add(-1)
			return fmt.Errorf("spawn: %w", ErrStopped)
		}
	}
	p.procs[proc.ref.ID] = proc
	return nil
}

// Ref is the reference of the process.
func (proc *Process) Ref() name.Ref { return proc.ref }

// Done is closed when the process has been stopped, by its owner or with its node, and
// no handler of it runs any more.
func (proc *Process) Done() <-chan struct{} { return proc.done }

// Stop ends the process and takes its names away. Calls that wait in its mailbox get
// ErrNoProcess, messages become dead letters. It does not wait for a handler that runs.
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
	for _, service := range slices.Clone(proc.names) {
		p.unbind(service, proc)
	}
}

// run is one worker.
func (proc *Process) run(ctx context.Context) {
	over := false
	defer func() { proc.rest(over) }()
	defer context.AfterFunc(ctx, proc.Stop)()
	for {
		select {
		case <-proc.life.Done():
			proc.refuseWaiting()
			over = true
			return
		case e := <-proc.box:
			if proc.life.Err() != nil {
				proc.refuse(e)
				continue
			}
			proc.handle(e)
		}
	}
}

// rest ends a worker. If it did not end by itself (a handler called runtime.Goexit,
// as the testing package does), another takes its place.
func (proc *Process) rest(over bool) {
	if !over && proc.life.Err() == nil && proc.procs.cfg.Tasks.Go("process", proc.run) {
		return
	}
	if !over {
		proc.Stop()
		proc.refuseWaiting()
	}
	if proc.working.Add(-1) == 0 {
		close(proc.done)
	}
}
