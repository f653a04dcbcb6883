package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// RegistryHarness says how to make the registry under test.
type RegistryHarness struct {
	// New makes a plugin that is not started, with room for 1,000 entries or more.
	New func(t T, env registry.Env) registry.Plugin
	// Replicates: what one node registers is to be seen on the others, within Patience
	// also where broadcasts were lost.
	Replicates bool
	patience   time.Duration // how long to wait; 0: Patience
}

// Registry checks that a registry keeps the promises of the contract on one node: what
// was put is found and in order, only the owner writes, what is refused leaves no trace,
// readers never see a change half made, and events tell each change once, in order. Of
// one that replicates it checks several nodes as well: they come to the same picture
// whatever is lost, the dead are hidden and nobody else, nothing is resurrected, and
// nobody speaks for another.
//
// All of it is done twice: with the registry itself, and with the two halves of the wire
// between.
func Registry(t *testing.T, h RegistryHarness) {
	t.Helper()
	runAll(t, h, h.checks())
	t.Run("wire", func(t *testing.T) { runAll(t, h.OverWire(), h.checks()) })
}

// RegistryProcess is the suite of a registry for a harness whose registries live in
// processes of their own.
func RegistryProcess(t *testing.T, h RegistryHarness) {
	t.Helper()
	runAll(t, h, h.checks())
}

func (h RegistryHarness) checks() []check[RegistryHarness] {
	if h.Replicates {
		return slices.Concat(registryChecks(), registryClusterChecks())
	}
	return registryChecks()
}

func registryChecks() []check[RegistryHarness] {
	return []check[RegistryHarness]{
		{"lifecycle", registryLifecycle},
		{"put is found", registryPut},
		{"metadata is copied", registryMeta},
		{"put again replaces metadata", registryReplace},
		{"several under one name, in order", registryOrder},
		{"remove", registryRemove},
		{"only the owner writes", registryOwner},
		{"metadata is bounded", registryBound},
		{"ended context changes nothing", registryContext},
		{"list by prefix", registryList},
		{"answers do not change", registryStable},
		{"events tell each change once", registryEvents},
		{"concurrent use", registryConcurrent},
		{"members do not disturb own entries", registryObserve},
	}
}

// registryBench is a started registry with the events that it told.
type registryBench struct {
	T
	plugin registry.Plugin
	env    plugin.Env

	mu     sync.Mutex
	events []registry.Event
}

func newRegistryBench(t T, h RegistryHarness) *registryBench {
	t.Helper()
	b := &registryBench{T: t, env: Env(t, "self@127.0.0.1")}
	b.env.Incarnation = 7
	b.plugin = h.New(t, registry.Env{Env: b.env, Network: lonely{}, Signer: newSigner(b.env.Node), Emit: b.emit})
	if err := b.plugin.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { expectStop(context.Background(), t, b.plugin, "Stop") })
	return b
}

func (b *registryBench) emit(e registry.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *registryBench) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []string{}
	for _, e := range b.events {
		list = append(list, fmt.Sprintf("%s %s %d", e.Type, e.Entry.Service, e.Entry.Ref.ID))
	}
	return list
}

func (b *registryBench) entry(service string, id uint64, meta ...string) registry.Entry {
	e := registry.Entry{
		Service: name.MustService(service),
		Ref:     name.Ref{Node: b.env.Node, Incarnation: b.env.Incarnation, ID: id},
		Meta:    map[string]string{},
	}
	for i := 0; i+1 < len(meta); i += 2 {
		e.Meta[meta[i]] = meta[i+1]
	}
	return e
}

// first is the entry that most checks begin with.
func (b *registryBench) first() registry.Entry { return b.entry("svc", 1) }

func (b *registryBench) put(e registry.Entry) {
	b.Helper()
	if err := b.plugin.Put(b.Context(), e); err != nil {
		b.Fatalf("Put %s %s: %v", e.Service, e.Ref, err)
	}
}

func (b *registryBench) lookup(service string) []registry.Entry {
	return b.plugin.Lookup(name.MustService(service))
}

func (b *registryBench) expectIDs(service string, want ...uint64) {
	b.Helper()
	var got []uint64
	for _, e := range b.lookup(service) {
		got = append(got, e.Ref.ID)
	}
	if !slices.Equal(got, want) {
		b.Errorf("Lookup %s: ids %v, want %v", service, got, want)
	}
}

func (b *registryBench) expectTold(want ...string) {
	b.Helper()
	if got := b.told(); !slices.Equal(got, want) {
		b.Errorf("events %q, want %q", got, want)
	}
}

func registryLifecycle(t T, h RegistryHarness) {
	lifecycle(t, func(t T) plugin.Part {
		return h.New(t, registry.Env{Env: Env(t, "self@127.0.0.1"), Network: lonely{}, Signer: newSigner(name.MustNode("self@127.0.0.1")), Emit: func(registry.Event) {}})
	})
}

func registryPut(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	if got := b.lookup("svc"); len(got) != 0 {
		t.Errorf("Lookup in an empty registry: %v", got)
	}
	before := time.Now()
	want := b.entry("svc", 1, "k", "v")
	b.put(want)
	got := b.lookup("svc")
	if len(got) != 1 || got[0].Ref != want.Ref || got[0].Service != want.Service || got[0].Meta["k"] != "v" {
		t.Fatalf("Lookup after Put: %+v, want %+v", got, want)
	}
	if since := got[0].Since; since.Before(before.Add(-time.Second)) || since.After(time.Now().Add(time.Second)) || since.Location() != time.UTC {
		t.Errorf("Since is %v, want the time of Put in UTC", since)
	}
}

func registryMeta(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	e := b.entry("svc", 1, "k", "v")
	b.put(e)
	e.Meta["k"] = "changed"
	if got := b.lookup("svc")[0].Meta["k"]; got != "v" {
		t.Errorf("the caller's map changed the entry to %q", got)
	}
	e = b.entry("svc", 2)
	e.Meta = nil
	b.put(e)
	if got := b.lookup("svc")[1].Meta; got == nil {
		t.Errorf("Meta is nil on the way out")
	}
}

func registryReplace(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1, "old", "1"))
	first := b.lookup("svc")[0].Since
	b.put(b.entry("svc", 1, "new", "2"))
	b.expectIDs("svc", 1)
	got := b.lookup("svc")[0]
	if len(got.Meta) != 1 || got.Meta["new"] != "2" {
		t.Errorf("metadata after the second Put: %v, want it replaced", got.Meta)
	}
	if !got.Since.Equal(first) {
		t.Errorf("Since changed from %v to %v by a second Put", first, got.Since)
	}
}

func registryOrder(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	for _, id := range []uint64{3, 1, 2, 20, 10} {
		b.put(b.entry("svc", id))
	}
	b.put(b.entry("other", 1))
	b.expectIDs("svc", 1, 2, 3, 10, 20)
	b.expectIDs("other", 1)
}

func registryRemove(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	one, two := b.entry("svc", 1), b.entry("svc", 2)
	b.put(one)
	b.put(two)
	if err := b.plugin.Remove(t.Context(), one.Service, one.Ref, ""); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	b.expectIDs("svc", 2)
	for _, e := range []registry.Entry{one, b.entry("other", 2)} {
		if err := b.plugin.Remove(t.Context(), e.Service, e.Ref, ""); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("Remove of what is not there: %v; want ErrNotFound", err)
		}
	}
	b.put(one)
	b.expectIDs("svc", 1, 2)
}

func registryOwner(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1))
	before := len(b.told())
	other, past, future := b.entry("svc", 1), b.entry("svc", 1), b.entry("svc", 1)
	other.Ref.Node = name.MustNode("other@127.0.0.1")
	past.Ref.Incarnation--
	future.Ref.Incarnation++
	for _, e := range []registry.Entry{other, past, future, {Service: b.first().Service}} {
		if err := b.plugin.Put(t.Context(), e); !errors.Is(err, registry.ErrNotOwner) {
			t.Errorf("Put of %q: %v; want ErrNotOwner", e.Ref, err)
		}
		if err := b.plugin.Remove(t.Context(), e.Service, e.Ref, ""); !errors.Is(err, registry.ErrNotOwner) {
			t.Errorf("Remove of %q: %v; want ErrNotOwner", e.Ref, err)
		}
	}
	b.expectIDs("svc", 1)
	if n := len(b.told()); n != before {
		t.Errorf("refused writes told %d events", n-before)
	}
}
