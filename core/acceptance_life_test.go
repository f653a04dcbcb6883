package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// Who has a link to a node that died, and hears from others that it has started again, does not
// wait until that link is silent, which it never is here. The new life does not dial it: it wants one
// neighbour, and has one.
func TestALinkToAnEarlierLifeEnds(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.sets = append(f.sets, "transport.quic.idle_timeout=10m")
	dir, a, x := t.TempDir(), f.start("a@127.0.0.1"), f.start("x@127.0.0.1")
	f.join(x, a)
	dead, kill := f.mortal(f.load("b@127.0.0.1", dir))
	f.join(dead, a)
	eventually(t, "x and b are neighbours", func() bool { return slices.Contains(x.View().Active, dead.Name()) })
	events := record(t, x)
	kill()
	f.startIn(copyOfKey(t, dir), "b@127.0.0.1", "bootstrap.contact_nodes=a@127.0.0.1", "membership.hyparview.active_size=1")
	eventually(t, "the link to the earlier life has ended", func() bool { return len(events.all("link", "down")) > 0 })
	if e := events.first("link", "down"); e.Node != dead.Name() || e.Extra["code"] != "restarted" {
		t.Errorf("the first link that went down is that with %s: %s", e.Node, e.Extra["code"])
	}
}

// copyOfKey is a data folder with the key of another: who has died here still holds the lock of
// its own.
func copyOfKey(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	key, err := os.ReadFile(filepath.Join(dir, "keys", "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(copied, "keys", "node.key"), string(key))
	return copied
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
	b := f.startIn(copyOfKey(t, dir), "b@127.0.0.1", "bootstrap.contact_nodes=a@127.0.0.1")
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
