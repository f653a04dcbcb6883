package discoveryfile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// For how long more events are awaited after the first: writers cause several at once. In
// a large folder where many write it is longer, so that looking takes a fiftieth of the
// time of one processor at most.
const (
	settle    = 20 * time.Millisecond
	maxSettle = time.Second
	lookShare = 50
)

// watch looks at the folder when something happens in it, and every poll besides. The
// folder itself may come and go.
func (b *backend) watch(ctx context.Context) {
	src, err := b.events()
	b.health.set(b.env.Log, troubleEvents, err)
	w := &dirWatch{src: src} // nil with an error: polling only
	if err == nil {
		defer func() { b.health.set(b.env.Log, troubleEvents, src.Close()) }()
	}
	for ctx.Err() == nil {
		err := b.ensureDir()
		b.health.set(b.env.Log, troubleDir, err)
		if err == nil && w.src != nil { // before the look, or changes between are missed
			b.health.set(b.env.Log, troubleEvents, w.attach(b.dir))
		}
		begun := time.Now()
		longest := b.lookOnce(ctx)
		b.await(ctx, w, longest, min(max(settle, lookShare*time.Since(begun)), maxSettle))
	}
}

// lookOnce returns when to look again at the latest.
func (b *backend) lookOnce(ctx context.Context) time.Duration {
	if b.lock(ctx) != nil {
		return 0 // ctx has ended
	}
	defer b.unlock()
	b.health.set(b.env.Log, troubleRead, b.scan())
	if b.unmended {
		return min(b.poll, repairPause)
	}
	return b.poll
}

// scan looks at the folder, puts the own entry back if need be, and tells the
// subscribers. The caller holds the disk.
func (b *backend) scan() error {
	now := time.Now()
	changes, err := b.folder.look(b.dir, now)
	if err != nil {
		return err
	}
	b.unmended = !b.mind(now)
	for _, c := range changes {
		b.report(c)
	}
	b.health.note(troubleFiles, b.folder.broken()) // each file was logged by itself
	return nil
}

func (b *backend) report(c change) {
	if c.now.err != nil {
		b.env.Log.Warn("endpoint file ignored", "file", c.file, "error", c.now.err)
	}
	node := c.now.node
	if node.IsZero() {
		node = c.old.node
	}
	if !node.IsZero() { // else it is nobody's file
		b.subs.tell(node)
	}
}

// await returns when the folder should be looked at again: after the longest time, or
// when something has happened and enough time for more of it has passed.
func (b *backend) await(ctx context.Context, w *dirWatch, longest, enough time.Duration) {
	poll := time.NewTimer(longest)
	defer poll.Stop()
	if !b.awaitFirst(ctx, w, poll.C) {
		return
	}
	more := time.NewTimer(enough)
	defer more.Stop()
	events, errs := w.channels()
	for {
		select {
		case <-ctx.Done():
			return
		case <-more.C:
			return
		case <-events:
		case err := <-errs:
			b.env.Log.Debug("file events were lost", "error", err)
		}
	}
}

// awaitFirst reports whether more events may follow soon.
func (b *backend) awaitFirst(ctx context.Context, w *dirWatch, poll <-chan time.Time) bool {
	events, errs := w.channels()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poll:
			return false
		case <-b.wake:
			return true
		case err := <-errs: // for example an overflow: anything may have happened
			b.env.Log.Debug("file events were lost", "error", err)
			return true
		case event := <-events:
			if b.concerns(event) {
				return true
			}
		}
	}
}

func (b *backend) concerns(event fsnotify.Event) bool {
	return strings.HasSuffix(event.Name, suffix) || filepath.Clean(event.Name) == b.dir
}

// dirWatch keeps an event source attached to a folder that may be replaced.
type dirWatch struct {
	src *fsnotify.Watcher // nil: there are no events
	at  fs.FileInfo       // of the folder when it was attached
}

func (w *dirWatch) channels() (<-chan fsnotify.Event, <-chan error) {
	if w.src == nil {
		return nil, nil
	}
	return w.src.Events, w.src.Errors
}

func (w *dirWatch) attach(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, reason(err))
	}
	listed := slices.Contains(w.src.WatchList(), dir)
	if listed && w.at != nil && os.SameFile(w.at, info) {
		return nil
	}
	if listed {
		_ = w.src.Remove(dir) // fails when the old folder has gone, which is as good
	}
	if err := w.src.Add(dir); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	w.at = info
	return nil
}
