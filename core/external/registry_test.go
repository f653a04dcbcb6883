package external

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// nobody is the network of a node without neighbours.
type nobody struct{}

func (nobody) Broadcast([]byte) error           { return nil }
func (nobody) Send(name.Node, []byte) error     { return registry.ErrNoLink }
func (nobody) Neighbours() []name.Node          { return nil }
func (nobody) Key(name.Node) (trust.Key, bool)  { return trust.Key{}, true }
func (nobody) RTT(name.Node) time.Duration      { return 0 }
func (nobody) Public() trust.Key                { return trust.Key{} }
func (nobody) Sign([]byte) (signature [64]byte) { return signature }

// shop is a node whose registry is a process.
type shop struct {
	*testing.T
	facade *registryFacade

	mu     sync.Mutex
	events []string
}

func openShop(t *testing.T, opts Options) *shop {
	t.Helper()
	s := &shop{T: t}
	env := registry.Env{Env: plugintest.Env(t, "self@h"), Network: nobody{}, Signer: nobody{}, Emit: func(e registry.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, fmt.Sprintf("%s %s of %s: %s", e.Type, e.Entry.Service, e.Entry.Ref.Node.Base(), e.Reason))
	}}
	made, err := Registry(self(t, plugin.Registry, "registry"), opts).New(env, &plugin.Section{})
	if err != nil {
		t.Fatal(err)
	}
	s.facade, _ = made.(*registryFacade)
	if err := made.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

func (s *shop) entry(service string) registry.Entry {
	return registry.Entry{Service: name.MustService(service), Ref: name.Ref{Node: name.MustNode("self@h"), Incarnation: 1, ID: 1}, Meta: map[string]string{}}
}

func (s *shop) put(service string) {
	s.Helper()
	if err := s.facade.Put(s.Context(), s.entry(service)); err != nil {
		s.Fatalf("Put %s: %v", service, err)
	}
}

func (s *shop) has(service string) bool { return len(s.facade.Lookup(name.MustService(service))) == 1 }

func (s *shop) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.events...)
}

// hear has another node offer a service, and be here.
func (s *shop) hear(node, service string) {
	s.Helper()
	n := name.MustNode(node + "@h")
	s.facade.Input(member(membership.MemberUp, node))
	s.facade.Input(registry.Input{Kind: registry.PeerUp, Node: n})
	s.facade.Input(registry.Input{Kind: registry.Broadcast, Node: n, Data: []byte(service)})
	plugintest.Eventually(s, "the service of "+node, func() bool { return s.has(service) })
}

func member(kind membership.EventType, node string) registry.Input {
	n := name.MustNode(node + "@h")
	return registry.Input{Kind: registry.Member, Node: n, Event: membership.Event{Type: kind, Node: n, Incarnation: 1}}
}

// kill ends the process, and returns when the node knows.
func (s *shop) kill() {
	s.Helper()
	pid := s.facade.Process().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
	plugintest.Eventually(s, "the end of the process", func() bool { return s.facade.Process().PID != pid })
}

func (s *shop) revived(restarts int) {
	s.Helper()
	plugintest.Eventually(s, "another process", func() bool {
		return s.facade.Process().Restarts == restarts && s.facade.Process().PID != 0
	})
}

// expectReport waits until the process says that it was told this, and which it is.
func (s *shop) expectReport(heard, launch string) {
	s.Helper()
	plugintest.Eventually(s, "a process that was told "+heard, func() bool {
		s.put("report")
		report := s.facade.Lookup(name.MustService("report"))[0].Meta
		return report["heard"] == heard && report["launch"] == launch
	})
}

// While there is no process reads go on, say that they are stale, and writes are
// refused. A new process is told all that the one before knew of this node, nobody
// hears of the change, and what only the one before knew goes when the new one had its
// time.
func TestRegistryOutlivesItsProcess(t *testing.T) {
	opts := quick()
	opts.Backoff, opts.MaxPause, opts.Settle = 400*time.Millisecond, time.Second, 500*time.Millisecond
	s := openShop(t, opts)
	s.put("mine")
	s.hear("b", "theirs")
	before := s.told()
	s.kill()
	if !s.has("mine") || !s.has("theirs") {
		t.Errorf("services are gone with the process")
	}
	if h := s.facade.Health(); h.State != plugin.Degraded || !strings.Contains(h.Detail, "stale: 2 services") {
		t.Errorf("health %+v", h)
	}
	if err := s.facade.Put(t.Context(), s.entry("new")); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("Put without a process: %v", err)
	}
	s.revived(1)
	plugintest.Eventually(t, "the own service in the new process", func() bool { return strings.Contains(s.facade.Health().Detail, "stale: 1 services") })
	if got := s.told(); len(got) != len(before) || !s.has("theirs") {
		t.Errorf("events %q, and before the end %q", got, before)
	}
	s.expectReport("near b, up b", "1")
	plugintest.Eventually(t, "the end of what the new process does not know", func() bool { return !s.has("theirs") })
	if got := s.told(); got[len(got)-1] != "down theirs of b: not known any more since the plugin was started again" || !s.has("mine") {
		t.Errorf("events %q", got)
	}
	if h := s.facade.Health(); h.State != plugin.Healthy {
		t.Errorf("health %+v", h)
	}
}

// Who dies while there is no process does not offer anything any more, and what was
// taken back is not offered again.
func TestRegistryHidesTheDeadWithoutItsProcess(t *testing.T) {
	opts := quick()
	opts.Backoff, opts.MaxPause = 400*time.Millisecond, time.Second
	s := openShop(t, opts)
	s.put("mine")
	s.hear("b", "theirs")
	s.hear("c", "stays")
	s.kill()
	s.facade.Input(member(membership.MemberDown, "b"))
	if s.has("theirs") || !s.has("stays") {
		t.Errorf("the service of the dead is there, or that of the living is not")
	}
	if err := s.facade.Remove(t.Context(), name.MustService("mine"), s.entry("mine").Ref, ""); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("Remove without a process: %v", err)
	}
	s.revived(1)
	s.expectReport("near b, near c, up c", "1")
	if h := s.facade.Health(); !strings.Contains(h.Detail, "stale: 2 services") {
		t.Errorf("health %+v, want stale the service of c and the one that was taken back", h)
	}
}

// A process that stands still takes no caller with it: inputs are dropped, reads go on,
// calls end, and the supervisor starts another.
func TestRegistryThatStandsStill(t *testing.T) {
	opts := quick()
	opts.Health = 200 * time.Millisecond
	s := openShop(t, opts)
	s.hear("b", "theirs")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.facade.Put(ctx, s.entry("stop")); err == nil {
		t.Error("a stopped process has answered")
	}
	begun := time.Now()
	for range 20_000 {
		s.facade.Input(registry.Input{Kind: registry.Frame, Node: name.MustNode("b@h"), Data: make([]byte, 1024)})
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("20,000 inputs to a process that stands still took %v", took)
	}
	s.revived(1)
	s.put("mine")
	if !s.has("mine") || !s.has("theirs") {
		t.Error("services are gone")
	}
}

// A new process that stands still over the first of many services that it is told of is
// watched like any other: another takes its place, long before it would have been asked for
// each of them.
func TestRegistryThatStandsStillWhileItIsTold(t *testing.T) {
	opts := quick()
	opts.Health = 200 * time.Millisecond
	s := openShop(t, opts)
	const many = 20
	for i := range many {
		s.put(fmt.Sprintf("tired/%d", i))
	}
	s.kill()
	s.revived(2)
	plugintest.Eventually(t, "the services in the process after it", func() bool { return s.facade.shown.Stale() == 0 })
	for i := range many {
		if service := fmt.Sprintf("tired/%d", i); !s.has(service) {
			t.Errorf("%s is gone", service)
		}
	}
}

// A registry that tells more than fits at once waits, and nothing is lost.
func TestRegistryThatFloods(t *testing.T) {
	s := openShop(t, quick())
	s.put("flood")
	if n := len(s.told()); n != 20_001 {
		t.Errorf("%d events, want 20001", n)
	}
	if !s.has("flood") || s.facade.Process().Restarts != 0 {
		t.Errorf("process %+v", s.facade.Process())
	}
}

// A process that ends in the middle of a call is that call's error.
func TestRegistryEndsInACall(t *testing.T) {
	s := openShop(t, quick())
	if err := s.facade.Put(t.Context(), s.entry("exit")); !errors.Is(err, plugin.ErrGone) {
		t.Errorf("Put: %v", err)
	}
	s.revived(1)
	s.put("mine")
	if s.has("exit") {
		t.Error("what was never registered is there")
	}
}

// A new process may take the place of one that works; nobody hears of it.
func TestRegistryIsReplaced(t *testing.T) {
	s := openShop(t, quick())
	s.put("mine")
	s.hear("b", "theirs")
	before, pid := s.told(), s.facade.Process().PID
	next, err := Registry(self(t, plugin.Registry, "registry"), quick()).New(registry.Env{Env: plugintest.Env(t, "self@h")}, &plugin.Section{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.facade.Replace(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if got := s.told(); len(got) != len(before) || !s.has("mine") || !s.has("theirs") || s.facade.Process().PID == pid {
		t.Errorf("events %q, and before %q; process %+v", got, before, s.facade.Process())
	}
	s.expectReport("near b, up b", "1")
}

// What was taken back while a new process was being told of it is not registered again.
func TestRegistryTakesBackWhatANewProcessIsTold(t *testing.T) {
	s := openShop(t, quick())
	s.put("mine")
	live, _ := s.facade.now()
	told := s.facade.settled(t.Context(), live.half)
	if err := s.facade.Remove(t.Context(), name.MustService("mine"), s.entry("mine").Ref, ""); err != nil || len(told) != 1 {
		t.Fatalf("Remove: %v; the process is told of %v", err, told)
	}
	if err := s.facade.putAgain(t.Context(), live.half, told[0]); err != nil || s.has("mine") {
		t.Errorf("putAgain: %v; it is there: %v", err, s.has("mine"))
	}
}
