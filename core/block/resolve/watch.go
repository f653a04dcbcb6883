package resolve

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// The pauses between attempts at what does not work, doubling.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// watch forgets what a backend says has changed. A watch that ends is begun again:
// the backend may have been restarted.
func (r *Resolver) watch(ctx context.Context, b *backend, w discovery.Watcher) {
	pause := firstPause
	for ctx.Err() == nil {
		err := r.watchOnce(ctx, b, w)
		switch {
		case errors.Is(err, plugin.ErrUnsupported):
			return
		case err == nil:
			pause = firstPause
		case ctx.Err() == nil:
			b.log.Debug("discovery backend cannot be watched now", withStack(err, "error", err)...)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
}

// watchOnce returns when the watch has ended, or with the reason why there is none.
func (r *Resolver) watchOnce(ctx context.Context, b *backend, w discovery.Watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got := make(chan (<-chan name.Node), 1) // the call may be left behind
	err := b.call(ctx, r.cfg.Timeout, "watch", func(context.Context) error {
		changes, err := w.Watch(ctx) // for as long as we listen, not for as long as the call may take
		got <- changes
		return err
	})
	if err != nil {
		return err
	}
	r.Invalidate(name.Node{}) // what changed before is not told
	r.heed(ctx, <-got)
	return nil
}

func (r *Resolver) heed(ctx context.Context, changes <-chan name.Node) {
	for {
		select {
		case node, open := <-changes:
			if !open {
				return
			}
			r.Invalidate(node)
		case <-ctx.Done():
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
