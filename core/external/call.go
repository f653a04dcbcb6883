package external

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// gone is why there is no process.
func (g *guest[H]) gone() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over != nil {
		return g.over
	}
	return plugin.ErrGone
}

// call asks the process of the moment: within the time that the settings give one call,
// and at once with an error if there is none.
func call[H half, R any](ctx context.Context, g *guest[H], ask func(context.Context, H) (R, error)) (R, error) {
	return callWithin(ctx, g, g.runs().timeout(), ask)
}

// callWithin is call with a limit of its own; 0: none but that of ctx, for what takes as
// long as it takes.
func callWithin[H half, R any](ctx context.Context, g *guest[H], limit time.Duration, ask func(context.Context, H) (R, error)) (R, error) {
	var none R
	select {
	case g.room <- struct{}{}:
		defer func() { <-g.room }()
	default:
		return none, g.named(ErrBusy)
	}
	live, _ := g.now()
	if live == nil {
		if err := ctx.Err(); err != nil {
			return none, g.named(err)
		}
		return none, g.named(g.gone())
	}
	answer, err := askWithin(ctx, limit, live.half, ask)
	if err != nil {
		return none, g.named(live.process.lost(err))
	}
	return answer, nil
}

// askWithin asks a process within a limit. The process knows the limit too and may be the
// first, by a little, to notice that it has passed; the error is the same. Another deadline
// that passed inside the plugin is its own affair and its own words.
func askWithin[H half, R any](ctx context.Context, limit time.Duration, process H, ask func(context.Context, H) (R, error)) (R, error) {
	if limit == 0 {
		return ask(ctx, process)
	}
	late := fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded)
	begun := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	answer, err := ask(limited, process)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && time.Since(begun) >= limit-limit/10 {
		err = late
	}
	return answer, err
}

func (s Spec) timeout() time.Duration {
	if s.Timeout == 0 {
		return 5 * time.Second
	}
	return s.Timeout
}

// named puts the plugin's name before an error, once. Verdicts are left as the plugin
// gave them: they are answers.
func (g *guest[H]) named(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, discovery.ErrNotFound):
		if err.Error() == discovery.ErrNotFound.Error() {
			return discovery.ErrNotFound
		}
		return err
	case errors.Is(err, trust.ErrUntrusted), errors.Is(err, trust.ErrKeyMismatch), errors.Is(err, plugin.ErrUnsupported):
		return err
	}
	return fmt.Errorf("%s: %w", g.label, err)
}
