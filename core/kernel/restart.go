package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// panicked takes the report of a goroutine of a part. It runs on that goroutine, so it
// only notes the fact; the restart has a goroutine of its own, one per part.
func (k *Kernel) panicked(name string, reason plugin.Panic) {
	err := k.logPanic(name, reason)
	p := k.find(name)
	if p == nil { // a goroutine that belongs to no part: nothing can bring it back
		k.Fail(name, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = err
	switch {
	case k.life.Err() != nil || p.state == plugin.New || p.state == plugin.Failed:
	case p.restart != nil:
		p.again = true
	default:
		p.restart = make(chan struct{})
		go k.restart(p, p.restart)
	}
}

// restart brings a part back, as often as its budget allows, and gives the node up
// when that does not help.
func (k *Kernel) restart(p *part, over chan struct{}) {
	defer close(over)
	pause := 50 * time.Millisecond
	for p.spend(time.Now(), k.opt) {
		if !k.enter(p, plugin.Starting, "restarting: "+p.lastError().Error()) {
			return // stopping, or the part itself said that it is beyond help
		}
		err := k.replace(p)
		switch {
		case k.life.Err() != nil:
			return
		case errors.Is(err, errStuck):
			k.Fail(p.unit.Name, fmt.Errorf("restart: %w", err))
			return
		case err != nil:
			p.fault(fmt.Errorf("start: %w", err))
			sleep(k.life, pause)
			pause = min(2*pause, time.Second)
		case k.settle(p):
			k.opt.Log.Warn("part restarted", "part", p.unit.Name, "reason", p.lastError())
			return
		}
	}
	k.giveUp(p)
}

// replace is one restart.
func (k *Kernel) replace(p *part) error {
	ctx, cancel := context.WithTimeout(k.life, k.opt.RestartTimeout)
	defer cancel()
	stuck, err := k.halt(ctx, p, p.tasks.Stop)
	if stuck {
		return errors.Join(errStuck, err)
	}
	if err != nil {
		k.opt.Log.Warn("part did not stop cleanly before its restart", "part", p.unit.Name, "error", err)
	}
	p.forgetPanics()
	return k.start(ctx, p)
}

// giveUp stops a part that is out of its budget, and fails the node.
func (k *Kernel) giveUp(p *part) {
	ctx, cancel := context.WithTimeout(k.life, k.opt.RestartTimeout)
	defer cancel()
	_, err := k.halt(ctx, p, p.tasks.Stop)
	k.Fail(p.unit.Name, errors.Join(
		fmt.Errorf("restarted %d times in %v and broken again: %w: the log has the stack", k.opt.Budget, k.opt.Window, p.lastError()), err))
}

// spend takes one restart from the budget, or reports that there is none left.
func (p *part) spend(now time.Time, opt Options) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.recent) > 0 && now.Sub(p.recent[0]) >= opt.Window {
		p.recent = p.recent[1:]
	}
	if len(p.recent) >= opt.Budget {
		return false
	}
	p.recent = append(p.recent, now)
	p.restarts++
	return true
}

func (p *part) lastError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *part) fault(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = err
}

// forgetPanics: the goroutines that panicked so far have ended.
func (p *part) forgetPanics() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = false
}

// awaitRestart waits until the restart under way has noticed that it is over.
func (p *part) awaitRestart(ctx context.Context) {
	p.mu.Lock()
	over := p.restart
	p.mu.Unlock()
	if over == nil {
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
