package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The bounds of a mailbox.
const (
	DefaultMailbox = 1024     // messages, unless a Spec says so
	mailboxBytes   = 32 << 20 // payloads
	// patience is for how long a message of another node waits for room. It is
	// bounded because others wait behind it that have nothing to do with the receiver.
	patience = 30 * time.Second
)

// envelope is a message with the way back.
type envelope struct {
	Message
	ctx    context.Context // of the call; nil for a message
	finish func(answer)    // answers the call; nil for a message
}

// errFull is why a wait for room ends when patience does.
var errFull = errors.New("mailbox is full")

// put waits for room in the mailbox: that is the back-pressure on the sender. It gives
// up when ctx ends.
func (proc *Process) put(ctx context.Context, e envelope) error {
	proc.procs.pending.Add(1)
	err := proc.wait(ctx, e)
	if err != nil {
		proc.procs.pending.Add(-1)
	}
	return err
}

func (proc *Process) wait(ctx context.Context, e envelope) error {
	size := len(e.Payload)
	for freed := proc.bytes.take(size); freed != nil; freed = proc.bytes.take(size) {
		select {
		case <-freed:
		case <-proc.life.Done():
			return proc.ended()
		case <-ctx.Done():
			return proc.full(ctx)
		}
	}
	select {
	case proc.box <- e:
		proc.afterPut()
		return nil
	case <-proc.life.Done():
		proc.bytes.give(size)
		return proc.ended()
	case <-ctx.Done():
		proc.bytes.give(size)
		return proc.full(ctx)
	}
}

// offer is put without waiting: it reports whether there was room.
func (proc *Process) offer(e envelope) bool {
	proc.procs.pending.Add(1)
	taken := proc.try(e)
	if !taken {
		proc.procs.pending.Add(-1)
	}
	return taken
}

func (proc *Process) try(e envelope) bool {
	if proc.life.Err() != nil || proc.bytes.take(len(e.Payload)) != nil {
		return false
	}
	select {
	case proc.box <- e:
		proc.afterPut()
		return true
	default:
		proc.bytes.give(len(e.Payload))
		return false
	}
}

// afterPut: the process may have looked for the last time before us.
func (proc *Process) afterPut() {
	if proc.life.Err() != nil {
		proc.refuseWaiting()
	}
}

// putPatiently is put for messages of other nodes. A process that let one of them wait
// in vain gets no second chance until it has taken something.
func (proc *Process) putPatiently(ctx context.Context, e envelope) error {
	if proc.offer(e) {
		return nil
	}
	if proc.life.Err() == nil && proc.stuck.Load() {
		return fmt.Errorf("mailbox of %s is full and stays so: %w", proc.ref, ErrBusy)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errFull)
	defer cancel()
	err := proc.put(ctx, e)
	if err != nil && errors.Is(context.Cause(ctx), errFull) {
		proc.stuck.Store(true)
		return fmt.Errorf("mailbox of %s is full, for %v: %w", proc.ref, patience, ErrBusy)
	}
	return err
}

// full is the error of a sender that has waited long enough.
func (proc *Process) full(ctx context.Context) error {
	return fmt.Errorf("mailbox of %s is full: %w", proc.ref, ctx.Err())
}

// ended is the error for what comes after the end of the process.
func (proc *Process) ended() error {
	if proc.procs.isStopped() {
		return fmt.Errorf("%s: %w", proc.ref, ErrStopped)
	}
	return fmt.Errorf("%s: it has ended: %w", proc.ref, ErrNoProcess)
}

// refuseWaiting empties the mailbox of a process that has ended.
func (proc *Process) refuseWaiting() {
	for {
		select {
		case e := <-proc.box:
			proc.refuse(e)
		default:
			return
		}
	}
}

func (proc *Process) refuse(e envelope) {
	defer proc.procs.pending.Add(-1)
	proc.bytes.give(len(e.Payload))
	err := proc.ended()
	if e.finish != nil {
		e.finish(failed(err))
		return
	}
	proc.procs.deadLetter(err, "from", e.From)
}
