package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Start starts the parts one after another in the order of Order. The first that
// fails, panics or does not come up before ctx ends stops it and all before it, in
// reverse; the error names the part, and the kernel is finished. ctx bounds the start
// only. Stop called meanwhile wins.
func (k *Kernel) Start(ctx context.Context) error {
	if err := k.begin(); err != nil {
		return err
	}
	bound, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(k.life, func() { cancel(ErrStopping) })()
	for _, p := range k.list() {
		if err := k.startOne(bound, p); err != nil {
			return errors.Join(err, k.Stop(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

func (k *Kernel) begin() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.life.Err() != nil:
		return fmt.Errorf("kernel: start after stop: make a new one: %w", ErrStopping)
	case k.started:
		return errors.New("kernel: started already")
	case !k.assembled:
		return errors.New("kernel: nothing to start: call Assemble first")
	}
	k.started = true
	return nil
}

func (k *Kernel) startOne(ctx context.Context, p *part) error {
	begun := time.Now()
	k.enter(p, plugin.Starting, "")
	if err := k.start(ctx, p); err != nil {
		k.enter(p, plugin.Failed, err.Error())
		return fmt.Errorf("part %s: start: %w", p.unit.Name, err)
	}
	k.enter(p, plugin.Healthy, "")
	k.opt.Log.Debug("part started", "part", p.unit.Name, "took", time.Since(begun))
	return nil
}

// Stop stops the parts in reverse order and returns when nothing of them runs any
// more. Each part has an equal share of the time that is left until the deadline of
// ctx (Options.StopTimeout if it has none); one that does not return in its share is
// left behind, the others are stopped all the same, and the error names it.
//
// It is safe without Start, at the same time as Start, and more than once: a later
// call waits for the one at work and then tries again what was left behind.
func (k *Kernel) Stop(ctx context.Context) error {
	k.end(ErrStopping) // from here on nothing is started or restarted
	ctx, cancel := k.withDeadline(ctx)
	defer cancel()
	if !acquire(ctx, k.turn) {
		return fmt.Errorf("kernel: stop: an earlier call still runs: %w", context.Cause(ctx))
	}
	defer func() { <-k.turn }()
	left := slices.DeleteFunc(slices.Clone(k.list()), (*part).done)
	var problems []error
	for ; len(left) > 0; left = left[:len(left)-1] {
		problems = append(problems, k.stopShare(ctx, left[len(left)-1], len(left)))
	}
	problems = append(problems, k.closeTasks(ctx))
	k.events.Close()
	return errors.Join(problems...)
}

func (k *Kernel) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, k.opt.StopTimeout)
}

// stopShare stops one part within its share of the time that is left for n parts.
func (k *Kernel) stopShare(ctx context.Context, p *part, n int) error {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
	defer cancel()
	begun := time.Now()
	k.enter(p, plugin.Stopping, "")
	p.awaitRestart(ctx)
	stuck, err := k.halt(ctx, p, p.tasks.Close)
	if err != nil {
		err = fmt.Errorf("part %s: stop: %w", p.unit.Name, err)
	}
	if stuck {
		return err
	}
	k.enter(p, plugin.Stopped, "")
	k.opt.Log.Debug("part stopped", "part", p.unit.Name, "took", time.Since(begun))
	return err
}

// closeTasks ends the groups that no stopped part has ended: their part was never
// started, or never made.
func (k *Kernel) closeTasks(ctx context.Context) error {
	k.mu.Lock()
	groups := maps.Clone(k.tasks)
	k.mu.Unlock()
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if p := k.find(name); p != nil && p.begun() {
			continue
		}
		if err := groups[name].Close(ctx); err != nil {
			problems = append(problems, fmt.Errorf("part %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}
