package discoveryfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// repairPause is the least time between two times of putting the own entry back, so
// that two who disagree about it do not wear out the disk.
const repairPause = time.Second

// Publish writes the own entry, whatever stands there: a node knows best where it is.
// From then on the entry is looked after until Withdraw, also if it could not be
// written at first.
func (b *backend) Publish(ctx context.Context, record discovery.Record) error {
	if record.Node != b.env.Node {
		return fmt.Errorf("discovery file: node %q cannot publish %q: each node publishes itself", b.env.Node, record.Node)
	}
	if len(record.Endpoints) == 0 || len(record.Endpoints) > maxEndpoints {
		return fmt.Errorf("discovery file: %d endpoints to publish, want 1 to %d", len(record.Endpoints), maxEndpoints)
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	defer b.unlock()
	record.Endpoints = slices.Clone(record.Endpoints)
	if record.Written.IsZero() {
		record.Written = time.Now()
	}
	b.own = &record
	b.nudge()
	err := b.writeOwn()
	b.health.note(troubleOwn, err)
	return err
}

// Withdraw removes the own entry. One that a later life of the node has written stays.
func (b *backend) Withdraw(ctx context.Context, node name.Node) error {
	if node != b.env.Node {
		return fmt.Errorf("discovery file: node %q cannot withdraw %q: each node withdraws itself", b.env.Node, node)
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	defer b.unlock()
	mine := b.env.Incarnation
	if b.own != nil {
		mine = b.own.Incarnation
	}
	b.own = nil
	b.health.note(troubleOwn, nil)
	b.nudge()
	return b.removeOwn(mine)
}

func (b *backend) removeOwn(mine uint64) error {
	path, err := safefile.Join(b.dir, fileName(b.env.Node))
	if errors.Is(err, safefile.ErrElement) {
		return nil // such a name was never written
	}
	if err != nil {
		return err
	}
	record, err := readRecord(path, b.env.Node)
	if errors.Is(err, fs.ErrNotExist) || err == nil && record.Incarnation > mine {
		return nil
	}
	if err := safefile.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b *backend) writeOwn() error {
	path, err := safefile.Join(b.dir, fileName(b.env.Node))
	if err != nil {
		return fmt.Errorf("%w: use a shorter node name, or another discovery backend", err)
	}
	if err := b.ensureDir(); err != nil {
		return err
	}
	data, err := encode(*b.own)
	if err != nil {
		return err
	}
	return safefile.Write(path, data, fileMode)
}

// mind puts the own entry back if it is not what was published, and reports false if
// that has to be tried again. An entry of a later life of this node wins: then another
// process runs under this name, and of two the later stays visible.
func (b *backend) mind(now time.Time) bool {
	if b.own == nil {
		return true
	}
	seen, there := b.folder.files[fileName(b.env.Node)]
	switch {
	case there && seen.err == nil && seen.record.Incarnation > b.own.Incarnation:
		b.health.set(b.env.Log, troubleOwn, fmt.Errorf("another process publishes %q with the later incarnation %d: stop one of the two",
			b.env.Node, seen.record.Incarnation))
		return true
	case there && seen.same(file{record: *b.own}):
		b.health.set(b.env.Log, troubleOwn, nil)
		return true
	case now.Sub(b.repaired) < repairPause:
		return false
	}
	b.repaired = now
	err := b.writeOwn()
	if b.health.set(b.env.Log, troubleOwn, err); err == nil {
		b.env.Log.Warn("own endpoint file was missing or changed: put it back", "dir", b.dir)
		b.nudge() // so that watchers hear of it
	}
	return err == nil
}
