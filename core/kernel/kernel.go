package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Options is what a kernel can be told. The zero value is good.
type Options struct {
	Log            *slog.Logger  // nil: nothing is logged
	Budget         int           // restarts of one part within Window; 0: 10
	Window         time.Duration // 0: 10 s
	RestartTimeout time.Duration // for one restart, stop and start; 0: 10 s
	StopTimeout    time.Duration // for Stop when its context has no deadline; 0: 10 s
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Budget == 0 {
		o.Budget = 10
	}
	for _, d := range []*time.Duration{&o.Window, &o.RestartTimeout, &o.StopTimeout} {
		if *d == 0 {
			*d = 10 * time.Second
		}
	}
	return o
}

// ErrStopping is the reason of whatever did not happen because the kernel is stopping
// or has stopped.
var ErrStopping = errors.New("kernel is stopping")

// Kernel drives parts. It lives once: New, Assemble, Start, Stop. All methods are safe
// for concurrent use, and any number of kernels live in one process.
type Kernel struct {
	opt    Options
	events Bus[Event]
	failed chan error
	life   context.Context // ends when Stop begins
	end    context.CancelCauseFunc
	turn   chan struct{} // held by the Stop that is at work

	mu        sync.Mutex
	tasks     map[string]*plugin.Tasks
	parts     []*part // in start order
	assembled bool
	started   bool
	err       error // why the node failed
}

// New returns a kernel without parts.
func New(opt Options) *Kernel {
	life, end := context.WithCancelCause(context.Background())
	return &Kernel{
		opt:    opt.withDefaults(),
		failed: make(chan error, 1),
		life:   life,
		end:    end,
		turn:   make(chan struct{}, 1),
		tasks:  map[string]*plugin.Tasks{},
	}
}

// Tasks returns the group on which the part of that name runs its goroutines: the
// same one for the same name. It is asked for before the part exists, when the
// environment for its New is made. A panic on it restarts the part; on a group that is
// the group of no part it fails the node.
func (k *Kernel) Tasks(name string) *plugin.Tasks {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tasksLocked(name)
}

func (k *Kernel) tasksLocked(name string) *plugin.Tasks {
	if t, ok := k.tasks[name]; ok {
		return t
	}
	t := plugin.NewTasks(func(p plugin.Panic) { k.panicked(name, p) })
	k.tasks[name] = t
	return t
}

// Assemble takes all the units and computes their order; it starts nothing. Every
// problem is reported at once: names given twice, needs that are no unit, circles.
// It succeeds once.
func (k *Kernel) Assemble(units ...Unit) error {
	sorted, err := order(units)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.assembled {
		return errors.New("kernel: assembled already: give all units in one call")
	}
	k.assembled = true
	for _, u := range sorted {
		k.parts = append(k.parts, newPart(u, k.tasksLocked(u.Name)))
	}
	return nil
}

// Order lists the names of the parts in the order in which they start.
func (k *Kernel) Order() []string {
	var names []string
	for _, p := range k.list() {
		names = append(names, p.unit.Name)
	}
	return names
}

// Events is the bus on which the kernel tells every change of a part's state. It is
// closed when everything has stopped.
func (k *Kernel) Events() *Bus[Event] { return &k.events }

// Failed carries the one error for which the node cannot go on: a part out of its
// restart budget, or what was given to Fail. The parts keep running until Stop.
func (k *Kernel) Failed() <-chan error { return k.failed }

// Err is the error that Failed carries, or nil while all is well.
func (k *Kernel) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Fail reports that the part of that name cannot go on and that no restart would help.
// The first report decides; those after Stop began are not failures.
func (k *Kernel) Fail(name string, reason error) {
	if k.life.Err() != nil {
		return
	}
	if p := k.find(name); p != nil {
		k.enter(p, plugin.Failed, reason.Error())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = fmt.Errorf("part %s: %w", name, reason)
		k.failed <- k.err
	}
}

func (k *Kernel) list() []*part {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.parts
}

func (k *Kernel) find(name string) *part {
	for _, p := range k.list() {
		if p.unit.Name == name {
			return p
		}
	}
	return nil
}
