package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// Two nodes of different make-up live in one process and in two clusters.
func TestTwoMakeUpsInOneProcess(t *testing.T) {
	t.Parallel()
	field, hall := newField(t), newLab(t)
	a, b := field.pair()
	x, y := hall.pair("trust.use=strict", "auth.enabled=false")
	offerEcho(t, b)
	offerEcho(t, y)
	for _, c := range []struct {
		from   *core.Node
		others int
	}{{a, 2}, {x, 2}} {
		if out, err := call(t, c.from, "echo@b@127.0.0.1", "x"); err != nil || out != "echo: x" {
			t.Errorf("call: %q, %v", out, err)
		}
		if len(c.from.Members()) != c.others {
			t.Errorf("members %v", c.from.Members())
		}
	}
}

// One Node value lives several times; a later life replaces the earlier one at its peers.
func TestStartStopStart(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a := f.start("a@127.0.0.1")
	b := f.make(f.load("b@127.0.0.1", t.TempDir(), "bootstrap.contact_nodes=a@127.0.0.1"))
	if err := errors.Join(b.Stop(t.Context()), b.Stop(t.Context())); err != nil {
		t.Errorf("stopping what was never started: %v", err)
	}
	if _, err := b.Call(t.Context(), "echo", nil); !errors.Is(err, core.ErrNotRunning) || b.Members() != nil || b.Addresses() != nil {
		t.Errorf("before its start: %v, %v, %v", err, b.Members(), b.Addresses())
	}
	var lives []uint64
	for range 3 {
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(t.Context()); err == nil {
			t.Error("started twice")
		}
		eventually(t, "they know each other", knowEachOther(a, b))
		offerEcho(t, b)
		if out, err := call(t, a, "echo@b@127.0.0.1", "x"); err != nil || out != "echo: x" {
			t.Errorf("call: %q, %v", out, err)
		}
		lives = append(lives, adminOf(t, b).Status().Incarnation)
		stop(t, b)
		stop(t, b)
		eventually(t, "it has left", func() bool { return stateAt(a, b.Name()) == membership.Left })
	}
	if !(lives[0] < lives[1] && lives[1] < lives[2]) {
		t.Errorf("incarnations %v, want them to grow", lives)
	}
}

// A node that died and starts again with its data is the same node in a later life. What
// was said to the earlier one does not reach it.
func TestALaterLifeReplacesTheEarlier(t *testing.T) {
	t.Parallel()
	f := newField(t)
	dir := t.TempDir()
	a := f.start("a@127.0.0.1")
	dead, kill := f.mortal(f.load("b@127.0.0.1", dir))
	f.join(dead, a)
	old := offerEcho(t, dead).Ref()
	if out, err := call(t, a, old.String(), "x"); err != nil || out != "echo: x" {
		t.Errorf("call by reference: %q, %v", out, err)
	}
	kill()
	events := record(t, a)
	copied := t.TempDir() // the dead one still holds the lock of its own folder
	key, err := os.ReadFile(filepath.Join(dir, "keys", "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(copied, "keys", "node.key"), string(key))
	b := f.startIn(copied, "b@127.0.0.1", "bootstrap.contact_nodes=a@127.0.0.1")
	eventually(t, "the later life is a member", func() bool {
		m := a.Members()
		return len(m) == 2 && m[1].State == membership.Alive && m[1].Incarnation > old.Incarnation
	})
	offerEcho(t, b)
	if _, err := call(t, a, old.String(), "x"); !errors.Is(err, core.ErrNoProcess) || !strings.Contains(err.Error(), "started again") {
		t.Errorf("call to the earlier life: %v", err)
	}
	if out, err := call(t, a, "echo@b@127.0.0.1", "x"); err != nil || out != "echo: x" {
		t.Errorf("call to the later life: %q, %v", out, err)
	}
	up, down := events.all("member", "up"), events.all("member", "down")
	if len(up) != 1 || len(down) != 1 || up[0].Extra["incarnation"] <= down[0].Extra["incarnation"] {
		t.Errorf("told: %v", events.story())
	}
}

func TestOneDataDirectoryOneNode(t *testing.T) {
	t.Parallel()
	f := newField(t)
	dir := t.TempDir()
	f.startIn(dir, "a@127.0.0.1")
	second := f.make(f.load("b@127.0.0.1", dir))
	err := second.Start(t.Context())
	if !errors.Is(err, identity.ErrInUse) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a second node on one directory: %v", err)
	}
}

// Making a node, which is all that a check of a configuration does, leaves no trace.
func TestNewTouchesNothing(t *testing.T) {
	t.Parallel()
	f := newField(t)
	parent := t.TempDir()
	f.folder = filepath.Join(parent, "shared")
	n := f.make(f.load("a@127.0.0.1", filepath.Join(parent, "data")))
	if err := n.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Whoever reads the events of a node learns that it has stopped, and can read on when it
// is started again.
func TestSubscriptionsEndWithTheNode(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n := f.make(f.load("a@127.0.0.1", t.TempDir()))
	for range 2 {
		sub := n.Subscribe("plugin")
		f.run(n)
		stop(t, n)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var err error
		count := 0
		for ; err == nil; count++ {
			_, err = sub.Next(ctx)
		}
		if !errors.Is(err, kernel.ErrClosed) || count < 20 {
			t.Errorf("after %d events: %v, want the start and the end of every part, and then the end", count, err)
		}
		sub.Close()
	}
}

// Stop while a start is under way, and from several sides, leaves the node stopped.
func TestStopFromSeveralSides(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n := f.start("a@127.0.0.1", "bootstrap.contact_nodes=nobody@127.0.0.1")
	began := time.Now()
	results := make(chan error, 4)
	for range cap(results) {
		go func() { results <- n.Stop(context.Background()) }()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	within(t, "stopping", began, patience)
	if _, err := n.Admin(); !errors.Is(err, core.ErrNotRunning) {
		t.Errorf("after it: %v", err)
	}
}
