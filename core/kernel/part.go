package kernel

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// part is a unit and how it is.
type part struct {
	unit  Unit
	tasks *plugin.Tasks
	turn  chan struct{} // held while Start or Stop of the part runs, however long that takes

	mu       sync.Mutex
	state    plugin.State
	detail   string
	last     error         // why it was restarted last, or could not be
	restarts int           // in all
	recent   []time.Time   // of the restarts within the window
	restart  chan struct{} // not nil while a restart is under way; closed when it is over
	again    bool          // it panicked once more meanwhile
}

func newPart(u Unit, tasks *plugin.Tasks) *part {
	return &part{unit: u, tasks: tasks, turn: make(chan struct{}, 1), state: plugin.New}
}

var (
	errStuck  = errors.New("did not return in time")
	errGoexit = errors.New("ended its goroutine instead of returning")
)

// grace is for how long a call whose context has ended is waited for: what the part
// itself says about the delay is a better error than ours.
const grace = 500 * time.Millisecond

// call runs Start or Stop of a part, never two at a time, and returns its error; a
// panic is one too. A call that outlives ctx is left to itself and the error wraps
// errStuck; until it returns, further calls wait for their turn.
func (k *Kernel) call(ctx context.Context, p *part, step string, run func(context.Context) error) error {
	if !acquire(ctx, p.turn) {
		return fmt.Errorf("an earlier call still runs: %w", errStuck)
	}
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if value := recover(); value != nil {
				err = k.logPanic(p.unit.Name, plugin.Panic{Task: step, Value: value, Stack: debug.Stack()})
			}
			<-p.turn
			done <- err
		}()
		err = run(ctx)
	}()
	return await(ctx, done)
}

func await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("%w: %w", errStuck, context.Cause(ctx))
	}
}

// acquire takes the token if it is there, whatever ctx says, and waits for it no
// longer than ctx.
func acquire(ctx context.Context, turn chan struct{}) bool {
	select {
	case turn <- struct{}{}:
		return true
	default:
	}
	select {
	case turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// start runs Start of a part. A start that succeeds after ctx has ended is one that
// nobody waits for any more, so it is undone.
func (k *Kernel) start(ctx context.Context, p *part) error {
	return k.call(ctx, p, "start", func(ctx context.Context) error {
		if k.life.Err() != nil {
			return ErrStopping
		}
		if err := p.unit.Part.Start(ctx); err != nil || ctx.Err() == nil {
			return err
		}
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.opt.StopTimeout)
		defer cancel()
		return errors.Join(context.Cause(ctx), p.unit.Part.Stop(undo), p.tasks.Stop(undo))
	})
}

// halt stops a part and, with Stop or Close of its tasks, its goroutines. stuck says
// that something of it still runs.
func (k *Kernel) halt(ctx context.Context, p *part, end func(context.Context) error) (stuck bool, err error) {
	err = k.call(ctx, p, "stop", p.unit.Part.Stop)
	running := end(ctx)
	return running != nil || errors.Is(err, errStuck), errors.Join(err, running)
}

// logPanic is the one place where the stack of a panic is told.
func (k *Kernel) logPanic(name string, p plugin.Panic) error {
	k.opt.Log.Error("part panicked", "part", name, "task", p.Task, "panic", fmt.Sprint(p.Value), "stack", string(p.Stack))
	return p
}
