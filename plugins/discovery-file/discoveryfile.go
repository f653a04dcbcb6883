// Package discoveryfile is the discovery backend of nodes that share a folder: each
// publishes itself as one small JSON file and reads those of the others. The folder
// may be on one machine, or on a network file system.
//
//	data/discovery/a@10.0.0.1.endpoint
//	{"node":"a@10.0.0.1","endpoints":["10.0.0.1:9100"],"incarnation":17,"written":"2026-11-20T10:00:00Z"}
//
// A lookup reads exactly one file, each time. The folder is watched, so that others
// learn of changes at once and the own entry is put back when somebody deletes or
// overwrites it. What cannot be read is ignored and reported; it is never taken for
// "not found". Nothing expires: the file of a node that crashed stays until the node
// comes back, and costs those who believe it a failed dial.
//
// Operators come here for discovery on one machine, and for clusters that have a
// shared folder anyway. Who can write to the folder can misdirect dials, but not
// impersonate a node: the handshake proves keys.
//
//	discovery:
//	  use: [file]
//	  file: {dir: /srv/cluster/discovery}
package discoveryfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/fsnotify/fsnotify"
)

var (
	_ discovery.Plugin      = (*backend)(nil)
	_ discovery.Publisher   = (*backend)(nil)
	_ discovery.Lister      = (*backend)(nil)
	_ discovery.Watcher     = (*backend)(nil)
	_ plugin.HealthReporter = (*backend)(nil)
)

const (
	dirMode   = 0o755
	fileMode  = 0o644     // others are meant to read it
	leftovers = time.Hour // temporary files older than that belong to no living writer
)

// Factory makes the backend "file".
func Factory() discovery.Factory {
	return plugin.Define("file", "a folder of endpoint files that the nodes share", defaults, newBackend)
}

type backend struct {
	env    discovery.Env
	dir    string
	poll   time.Duration
	events func() (*fsnotify.Watcher, error)
	wake   chan struct{} // of capacity 1: look at the folder now

	// disk is held while the folder is changed or read as a whole; a channel, so
	// that waiting for it ends with a context. It guards what follows down to health.
	disk     chan struct{}
	folder   folder
	own      *discovery.Record // what is published; nil: nothing
	repaired time.Time         // when the own entry was last put back
	unmended bool              // the own entry should be put back and could not yet

	health healthBook
	subs   subscribers
}

func newBackend(env discovery.Env, s *Settings) (discovery.Plugin, error) {
	return &backend{
		env:    env,
		dir:    s.folder(env.DataDir),
		poll:   s.Poll,
		events: fsnotify.NewWatcher,
		wake:   make(chan struct{}, 1),
		disk:   make(chan struct{}, 1),
	}, nil
}

// Start makes the folder and begins to watch it. A folder that cannot be made is no
// reason not to start: it may come later, and the other backends work meanwhile.
func (b *backend) Start(context.Context) error {
	err := b.ensureDir()
	b.health.set(b.env.Log, troubleDir, err)
	if err == nil {
		if _, err := safefile.Sweep(b.dir, time.Now().Add(-leftovers)); err != nil {
			b.env.Log.Warn("old temporary files stay", "error", err)
		}
	}
	b.subs.open()
	if !b.env.Tasks.Go("watch", b.watch) {
		b.subs.close()
		return fmt.Errorf("discovery file: cannot start while stopping")
	}
	return nil
}

// Stop leaves the own entry where it is: Withdraw removes it.
func (b *backend) Stop(ctx context.Context) error {
	b.subs.close()
	return b.env.Tasks.Stop(ctx)
}

// Lookup reads the one file of node.
func (b *backend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	path, err := safefile.Join(b.dir, fileName(node))
	if err != nil { // too long to be the name of a file
		return discovery.Answer{}, fmt.Errorf("%w: %w", discovery.ErrNotFound, err)
	}
	record, err := readRecord(path, node)
	if errors.Is(err, fs.ErrNotExist) {
		return discovery.Answer{}, b.absent()
	}
	if err != nil {
		return discovery.Answer{}, err
	}
	return discovery.Answer{Endpoints: record.Endpoints, AsOf: record.Written}, nil
}

// absent tells a folder without the file from a folder that is not there, which may
// be a share that is not mounted.
func (b *backend) absent() error {
	if _, err := os.Stat(b.dir); err != nil {
		return fmt.Errorf("%s: %w", b.dir, reason(err))
	}
	return discovery.ErrNotFound
}

// List reads the whole folder. It is complete if every endpoint file could be read.
func (b *backend) List(ctx context.Context) (discovery.Listing, error) {
	if err := b.lock(ctx); err != nil {
		return discovery.Listing{}, err
	}
	defer b.unlock()
	if err := b.scan(); err != nil {
		return discovery.Listing{}, err
	}
	records, complete := b.folder.records()
	return discovery.Listing{Records: records, Complete: complete, AsOf: time.Now().UTC()}, nil
}

// Watch tells of nodes whose file changed in content, came or went.
func (b *backend) Watch(ctx context.Context) (<-chan name.Node, error) {
	return b.subs.add(ctx)
}

// Health tells of a folder that cannot be used and of files that are ignored.
func (b *backend) Health() plugin.Health { return b.health.sum() }

func (b *backend) ensureDir() error {
	_, err := safefile.EnsureDir(b.dir, dirMode)
	return err
}

func (b *backend) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case b.disk <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: busy: %w", b.dir, ctx.Err())
	}
}

func (b *backend) unlock() { <-b.disk }

// nudge makes the watching task look at the folder soon.
func (b *backend) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
