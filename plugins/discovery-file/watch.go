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

// watch looks at what changes in the folder, and every poll at all of it. The folder itself
// may come and go.
func (b *backend) watch(ctx context.Context) {
	src, err := b.events()
	b.health.set(b.env.Log, troubleEvents, err)
	w := &dirWatch{src: src} // nil with an error: polling only
	if err == nil {
		defer func() { b.health.set(b.env.Log, troubleEvents, src.Close()) }()
	}
	stirred, due := &stir{all: true}, time.Time{}
	for ctx.Err() == nil {
		err := b.ensureDir()
		b.health.set(b.env.Log, troubleDir, err)
		if err == nil && w.src != nil { // before the look, or changes between are missed
			anew, err := w.attach(b.dir)
			stirred.all = stirred.all || anew
			b.health.set(b.env.Log, troubleEvents, err)
		}
		begun := time.Now()
		due = b.lookOnce(ctx, stirred, due)
		stirred = b.await(ctx, w, due, min(max(settle, lookShare*time.Since(begun)), maxSettle))
	}
}

// lookOnce looks at what was stirred, or at all if that is due, and returns when all is due
// at the latest.
func (b *backend) lookOnce(ctx context.Context, what *stir, due time.Time) time.Time {
	if b.lock(ctx) != nil {
		return due // ctx has ended
	}
	defer b.unlock()
	now := time.Now()
	if what.all || !b.folder.whole || !now.Before(due) || len(b.folder.files)+len(what.files) > maxFiles {
		due = now.Add(b.poll)
		b.health.set(b.env.Log, troubleRead, b.scan())
	} else {
		b.heed(now, b.folder.glance(b.dir, what.files, now))
	}
	if repair := time.Now().Add(repairPause); b.unmended && repair.Before(due) {
		return repair
	}
	return due
}

// scan looks at the whole folder. The caller holds the disk.
func (b *backend) scan() error {
	now := time.Now()
	changes, err := b.folder.look(b.dir, now)
	if err == nil {
		b.heed(now, changes)
	}
	return err
}

// heed puts the own entry back if need be, and tells the subscribers. The caller holds the
// disk.
func (b *backend) heed(now time.Time, changes []change) {
	b.unmended = !b.mind(now)
	for _, c := range changes {
		b.report(c)
	}
	b.health.note(troubleFiles, b.folder.broken()) // each file was logged by itself
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

// stir is what happened in the folder.
type stir struct {
	files map[string]bool // endpoint files that changed, came or went
	all   bool            // anything may have
}

// maxStirred is how many files are looked at one by one.
const maxStirred = 1024

func (s *stir) none() bool { return !s.all && len(s.files) == 0 }

// event notes what an event is about, if that concerns this backend.
func (b *backend) event(event fsnotify.Event, s *stir) {
	switch {
	case filepath.Clean(event.Name) == b.dir:
		s.all = true
	case !strings.HasSuffix(event.Name, suffix):
	case len(s.files) >= maxStirred:
		s.all = true
	case s.files == nil:
		s.files = map[string]bool{filepath.Base(event.Name): true}
	default:
		s.files[filepath.Base(event.Name)] = true
	}
}

// await returns when the folder should be looked at again, and what happened: when all of it
// is due, or when something has happened and enough time for more of it has passed.
func (b *backend) await(ctx context.Context, w *dirWatch, due time.Time, enough time.Duration) *stir {
	s := &stir{}
	poll := time.NewTimer(time.Until(due))
	defer poll.Stop()
	for s.none() && b.awaitNext(ctx, w, poll.C, s) {
	}
	if s.none() {
		return s
	}
	more := time.NewTimer(enough)
	defer more.Stop()
	for b.awaitNext(ctx, w, more.C, s) {
	}
	return s
}

// awaitNext takes the next thing that happens; false if time is up.
func (b *backend) awaitNext(ctx context.Context, w *dirWatch, over <-chan time.Time, s *stir) bool {
	events, errs := w.channels()
	select {
	case <-ctx.Done():
		return false
	case <-over:
		return false
	case <-b.wake:
		s.all = true
	case err := <-errs: // for example an overflow: anything may have happened
		b.env.Log.Debug("file events were lost", "error", err)
		s.all = true
	case event := <-events:
		b.event(event, s)
	}
	return true
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

// attach reports whether there were no events of the folder before.
func (w *dirWatch) attach(dir string) (anew bool, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return true, fmt.Errorf("%s: %w", dir, reason(err))
	}
	listed := slices.Contains(w.src.WatchList(), dir)
	if listed && w.at != nil && os.SameFile(w.at, info) {
		return false, nil
	}
	if listed {
		_ = w.src.Remove(dir) // fails when the old folder has gone, which is as good
	}
	if err := w.src.Add(dir); err != nil {
		return true, fmt.Errorf("%s: %w", dir, err)
	}
	w.at = info
	return true, nil
}
