package core_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// shaky is a backend of an embedder's own, with faults on demand.
type shaky struct {
	env     discovery.Env
	panics  chan struct{} // each takes its goroutine down
	lookups *atomic.Int32 // how many more of them panic
}

func (s *shaky) Start(context.Context) error {
	s.env.Tasks.Go("listen", func(ctx context.Context) {
		select {
		case <-s.panics:
			panic("as told")
		case <-ctx.Done():
		}
	})
	return nil
}

func (s *shaky) Stop(ctx context.Context) error { return s.env.Tasks.Stop(ctx) }

func (s *shaky) Lookup(context.Context, name.Node) (discovery.Answer, error) {
	if s.lookups.Add(-1) >= 0 {
		panic("lookup as told")
	}
	return discovery.Answer{}, discovery.ErrNotFound
}

// withShaky makes nodes with one shaky backend in front of the chain.
func withShaky() (*shaky, core.Option) {
	s := &shaky{panics: make(chan struct{}), lookups: &atomic.Int32{}}
	return s, core.WithDiscovery("shaky", func(env discovery.Env) (discovery.Plugin, error) {
		return &shaky{env: env, panics: s.panics, lookups: s.lookups}, nil
	})
}

// A plugin that panics is started again, everybody who looks can see it, and nobody else
// notices.
func TestAPanicIsContained(t *testing.T) {
	t.Parallel()
	f := newField(t)
	log := &journal{}
	faults, option := withShaky()
	n := f.make(f.load("a@127.0.0.1", t.TempDir()), option, core.WithLogger(log.logger()))
	f.watched(n)
	offerEcho(t, n)
	events := record(t, n)
	faults.panics <- struct{}{}
	eventually(t, "the restart is told", func() bool { return warned(t, n, "discovery/shaky: restarted once after a panic") })
	eventually(t, "it works again", func() bool { return len(events.all("plugin", "ok")) > 0 })
	var states []string
	for _, e := range events.all("plugin", "") {
		if e.Name != "discovery/shaky" {
			t.Errorf("%s is %s as well", e.Name, e.Type)
		}
		states = append(states, e.Type)
	}
	if strings.Join(states, " ") != "starting ok" {
		t.Errorf("states %v, want starting and ok", states)
	}
	if reason := events.first("plugin", "starting").Reason; !strings.Contains(reason, "as told") {
		t.Errorf("the reason %q does not tell the panic", reason)
	}
	if n := log.count("part=discovery/shaky task=listen panic=\"as told\" stack="); n != 1 {
		t.Errorf("%d lines with the stack of the panic, want one", n)
	}
	slot := adminOf(t, n).Status().Slots.Discovery[0]
	if slot.Plugin != "shaky" || slot.Health != "ok" || !strings.Contains(slot.Detail, "as told") {
		t.Errorf("slot %+v", slot)
	}
	// The rest of the node has gone on, and the chain goes past a lookup that panics.
	faults.lookups.Store(1)
	f.join(n, f.start("b@127.0.0.1"))
	faults.lookups.Store(1)
	found, err := adminOf(t, n).Discover(t.Context(), name.MustNode("b@127.0.0.1"), true)
	if err != nil || found.Answer.Backend != "file" || !strings.Contains(found.Steps[0].Error, "lookup as told") {
		t.Errorf("discovery: %+v, %v", found, err)
	}
	if out, err := call(t, n, "echo", "x"); err != nil || out != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
}

// A plugin that panics over and over is given up, and the owner of the node hears of it;
// the node runs on until it is stopped, and can be started again.
func TestTooManyPanicsFailTheNode(t *testing.T) {
	t.Parallel()
	f := newField(t)
	faults, option := withShaky()
	n := f.run(f.make(f.load("a@127.0.0.1", t.TempDir()), option))
	offerEcho(t, n)
	const budget = 10
	for range budget + 1 {
		faults.panics <- struct{}{}
	}
	select {
	case err := <-n.Failed():
		for _, word := range []string{"node a@127.0.0.1", "discovery/shaky", "10 times", "as told"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error %q lacks %q", err, word)
			}
		}
	case <-time.After(patience):
		t.Fatal("nobody was told")
	}
	if out, err := call(t, n, "echo", "x"); err != nil || out != "echo: x" {
		t.Errorf("call: %q, %v", out, err)
	}
	if !warned(t, n, "discovery/shaky: failed") {
		t.Errorf("warnings %v", adminOf(t, n).Status().Warnings)
	}
	stop(t, n)
	f.run(n)
	select {
	case err := <-n.Failed():
		t.Errorf("the next life begins with the failure of the last: %v", err)
	default:
	}
}

// A failure that nobody has read is of the life that failed.
func TestFailuresEndWithTheirLife(t *testing.T) {
	t.Parallel()
	f := newField(t)
	faults, option := withShaky()
	n := f.run(f.make(f.load("a@127.0.0.1", t.TempDir()), option))
	for range 11 {
		faults.panics <- struct{}{}
	}
	eventually(t, "the part is given up", func() bool { return len(n.Failed()) == 1 })
	stop(t, n)
	if err := <-n.Failed(); err == nil {
		t.Error("whoever asks after the end must still learn why")
	}
	for range 2 {
		f.run(n)
		if len(n.Failed()) > 0 {
			t.Errorf("the next life begins with the failure of the last: %v", <-n.Failed())
		}
		for range 11 {
			faults.panics <- struct{}{}
		}
		eventually(t, "the part is given up again", func() bool { return len(n.Failed()) == 1 })
		stop(t, n)
	}
}

// watched runs a node and returns when its start has been told.
func (l *lab) watched(n *core.Node) *tape {
	l.t.Helper()
	events := record(l.t, n)
	l.run(n)
	eventually(l.t, "the start has been told", func() bool {
		started := events.all("plugin", "ok")
		return len(started) > 0 && started[len(started)-1].Name == "admin"
	})
	return events
}

// A reader that is too slow loses the oldest events and is told how many.
func TestASlowReaderIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n := f.make(f.load("a@127.0.0.1", t.TempDir()))
	quick := f.watched(n)
	slow := n.Subscribe("service")
	defer slow.Close()
	const services, kept = 700, 1024
	for i := range services {
		if err := offerEcho(t, n).Close(); err != nil {
			t.Fatal(err)
		}
		if (i+1)%100 == 0 { // no faster than the quick one
			eventually(t, "the quick reader has all", func() bool { return len(quick.all("service", "")) == 2*(i+1) })
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	gap, err := slow.Next(ctx)
	if err != nil || gap.Type != "gap" {
		t.Fatalf("first: %+v, %v, want a gap", gap, err)
	}
	lost, err := strconv.Atoi(gap.Extra["count"])
	if err != nil || lost != 2*services-kept {
		t.Errorf("%v lost, %v, want %d", gap.Extra, err, 2*services-kept)
	}
	for i := range kept {
		want := []string{"registered", "unregistered"}[(lost+i)%2]
		if e, err := slow.Next(ctx); err != nil || e.Type != want || e.Name != "echo" {
			t.Fatalf("event %d after the gap: %+v, %v, want %s", i, e, err, want)
		}
	}
}
