package external

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// supervise looks after the process until the part is stopped: it asks how it is, and
// starts a new one when it has ended or hangs.
func (g *guest[H]) supervise(ctx context.Context) {
	budget := &budget{opts: g.opts}
	for ctx.Err() == nil {
		live, changed := g.now()
		switch {
		case live != nil:
			g.attend(ctx, live, changed)
		case !g.revive(ctx, budget, changed):
			select { // given up, until somebody replaces it
			case <-changed:
				budget.reset()
			case <-ctx.Done():
			}
		}
	}
}

// attend returns when the process has ended or was ended, or is no longer the one.
func (g *guest[H]) attend(ctx context.Context, live *running[H], changed <-chan struct{}) {
	ticker := time.NewTicker(g.opts.Health)
	defer ticker.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			return
		case <-live.process.child.exited.open:
			g.lose(ctx, live)
			return
		case <-ticker.C:
		}
		if g.examine(ctx, live) {
			misses = 0
			continue
		}
		if misses++; misses >= g.opts.Misses {
			_ = live.process.child.kill(fmt.Sprintf("killed: no sign of life %d times in a row", misses))
		}
	}
}

// examine asks for the health; false if there was no answer.
func (g *guest[H]) examine(ctx context.Context, live *running[H]) bool {
	asking, cancel := context.WithTimeout(ctx, g.opts.Health)
	defer cancel()
	health, err := live.half.Ask(asking)
	current, _ := g.now()
	switch {
	case ctx.Err() != nil || current != live:
		return true
	case err == nil:
		g.feel(health)
	case errors.Is(err, plugin.ErrUnsupported):
		g.feel(plugin.Health{State: plugin.Healthy}) // a plugin that has nothing to say
	default:
		g.feel(plugin.Health{State: plugin.Degraded, Detail: "does not say how it is: " + err.Error()})
		return false
	}
	return true
}

// lose lets go of a process that has ended.
func (g *guest[H]) lose(ctx context.Context, live *running[H]) {
	if g.lock(ctx) != nil {
		return
	}
	defer g.unlock()
	if current, _ := g.now(); current != live {
		return
	}
	live.process.child.settle()
	g.swap(nil)
	gone := live.process.child.gone()
	g.env.Log.Warn("the process of the plugin has ended", "end", gone)
	g.feel(plugin.Health{State: plugin.Degraded, Detail: gone.Error()})
	_ = live.process.end("") // it has ended, or it was said that it does not
}

// revive starts new processes, with growing pauses, until one works. It reports false
// when the budget is used up.
func (g *guest[H]) revive(ctx context.Context, budget *budget, changed <-chan struct{}) bool {
	for {
		pause, ok := budget.take(time.Now())
		if !ok {
			g.feel(plugin.Health{State: plugin.Failed, Detail: g.failed()})
			g.env.Log.Error("the plugin has failed and is not started again by itself", "reason", g.failed())
			return false
		}
		if !sleep(ctx, pause, changed) {
			return true
		}
		err := g.again(ctx)
		if err == nil || ctx.Err() != nil {
			return true
		}
		g.env.Log.Warn("the plugin could not be started again", "error", err)
		g.feel(plugin.Health{State: plugin.Degraded, Detail: err.Error()})
	}
}

func (g *guest[H]) failed() string {
	return fmt.Sprintf("ended more than %d times within %v: see the log, then run `barrel plugin reload %s`; %s",
		g.opts.Budget, g.opts.Window, g.id, g.gone())
}

// again starts one new process.
func (g *guest[H]) again(ctx context.Context) error {
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	if live, _ := g.now(); live != nil {
		return nil // somebody was faster
	}
	g.mu.Lock()
	g.restarts++
	g.mu.Unlock()
	next, err := g.begin(ctx)
	if err != nil {
		return err
	}
	g.swap(next)
	g.env.Log.Info("the plugin was started again", "restarts", g.Process().Restarts, "pid", g.Process().PID)
	g.feel(plugin.Health{State: plugin.Healthy})
	g.revived(ctx, next.half)
	return nil
}

// sleep reports false if something else happened meanwhile.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}

// budget says when a process may be started again.
type budget struct {
	opts  Options
	pause time.Duration
	taken []time.Time
}

// take is the pause before the next start; false if there have been too many.
func (b *budget) take(now time.Time) (time.Duration, bool) {
	kept := b.taken[:0]
	for _, t := range b.taken {
		if now.Sub(t) < b.opts.Window {
			kept = append(kept, t)
		}
	}
	if b.taken = kept; len(kept) >= b.opts.Budget {
		return 0, false
	}
	if len(kept) == 0 {
		b.pause = 0 // it was well for long
	}
	b.taken = append(b.taken, now)
	b.pause = min(max(b.opts.Backoff, 2*b.pause), b.opts.MaxPause)
	return b.pause, true
}

func (b *budget) reset() { b.taken, b.pause = nil, 0 }
