package plugin

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// Tasks owns the goroutines of one part: each has a name and a context, a panic in
// one is caught and reported instead of ending the program, and Stop waits for all.
// Safe for concurrent use. After Stop it can be used again, by a part that is
// started again; after Close it cannot.
type Tasks struct {
	onPanic func(Panic)

	mu      sync.Mutex
	ctx     context.Context // of the tasks that run; ended by Stop, nil when there is none
	cancel  context.CancelFunc
	running map[uint64]string
	next    uint64
	closed  bool
	idle    chan struct{} // closed when running becomes empty; nil when nobody waits for that
}

// Panic is what Tasks reports of a goroutine that panicked.
type Panic struct {
	Task  string
	Value any
	Stack []byte
}

// Error makes a Panic usable as the reason of a failure.
func (p Panic) Error() string { return fmt.Sprintf("task %s panicked: %v", p.Task, p.Value) }

// NewTasks returns an empty group. onPanic must not be nil. It is called on the
// goroutine that panicked, which still counts as running: when Stop returns, every
// panic has been reported. So onPanic must not wait for Stop.
func NewTasks(onPanic func(Panic)) *Tasks {
	return &Tasks{onPanic: onPanic, running: map[uint64]string{}}
}

// Go runs a goroutine under a name. The context ends when the group is stopped. It
// reports false, and runs nothing, while the group is stopping or closed.
func (t *Tasks) Go(task string, run func(ctx context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.ctx != nil && t.ctx.Err() != nil {
		return false
	}
	if t.ctx == nil {
		t.ctx, t.cancel = context.WithCancel(context.Background())
	}
	t.next++
	id, ctx := t.next, t.ctx
	t.running[id] = task
	go t.run(ctx, id, task, run)
	return true
}

func (t *Tasks) run(ctx context.Context, id uint64, task string, run func(context.Context)) {
	defer t.done(id)
	defer func() {
		if value := recover(); value != nil {
			t.onPanic(Panic{Task: task, Value: value, Stack: debug.Stack()})
		}
	}()
	run(ctx)
}

func (t *Tasks) done(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, id)
	if len(t.running) == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// Stop ends the context of all tasks and waits for them. If ctx ends first the error
// names the tasks that still run; they stay counted, and Stop may be called again.
// A task must not call it.
func (t *Tasks) Stop(ctx context.Context) error {
	if idle := t.beginStop(); idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("tasks %v still run: %w", t.Running(), context.Cause(ctx))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Another Stop may have been faster, and new tasks may run since: theirs is a
	// context that has not ended.
	if t.ctx != nil && t.ctx.Err() != nil {
		t.ctx, t.cancel = nil, nil
	}
	return nil
}

func (t *Tasks) beginStop() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel()
	}
	if len(t.running) == 0 {
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	return t.idle
}

// Close is Stop for good: Go runs nothing from now on.
func (t *Tasks) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.Stop(ctx)
}

// Running lists the names of the tasks that run, sorted.
func (t *Tasks) Running() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := make([]string, 0, len(t.running))
	for _, task := range t.running {
		names = append(names, task)
	}
	slices.Sort(names)
	return names
}
