package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// registryStable: a slice that Lookup handed out stays as it is, whatever happens next.
func registryStable(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 2, "k", "v"))
	b.put(b.entry("svc", 4))
	before := b.lookup("svc")
	want := fmt.Sprint(before)
	b.put(b.entry("svc", 2, "k", "changed"))
	b.put(b.entry("svc", 1))
	b.put(b.entry("svc", 3))
	if err := b.plugin.Remove(t.Context(), before[0].Service, b.entry("svc", 4).Ref, ""); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	if got := fmt.Sprint(before); got != want {
		t.Errorf("an answer of Lookup changed later, from %s to %s", want, got)
	}
}

func registryEvents(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1))
	b.put(b.entry("svc", 1, "k", "v"))
	b.put(b.entry("svc", 1, "k", "v"))
	b.put(b.entry("other", 2))
	one := b.first()
	if err := b.plugin.Remove(t.Context(), one.Service, one.Ref, ""); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	_ = b.plugin.Remove(t.Context(), one.Service, one.Ref, "") // not there, checked elsewhere
	b.expectTold("registered svc 1", "updated svc 1", "registered other 2", "unregistered svc 1")
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.events {
		if e.Entry.Meta == nil || e.Entry.Since.IsZero() {
			t.Errorf("event %d carries no whole entry: %+v", i, e.Entry)
		}
	}
	if len(b.events) > 1 && b.events[1].Entry.Meta["k"] != "v" {
		t.Errorf("the update carries the old metadata")
	}
}

// registryConcurrent: writers of one name and readers at the same time. The race
// detector sees what this check does not.
func registryConcurrent(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	const writers, rounds = 4, 50
	var group sync.WaitGroup
	for w := range uint64(writers) {
		group.Go(func() {
			for range rounds {
				e := b.entry("svc", w+1)
				if err := b.plugin.Put(t.Context(), e); err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := b.plugin.Remove(t.Context(), e.Service, e.Ref, ""); err != nil {
					t.Errorf("Remove: %v", err)
				}
			}
			if err := b.plugin.Put(t.Context(), b.entry("svc", w+1)); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
		group.Go(func() {
			for range rounds {
				if got := b.lookup("svc"); !slices.IsSortedFunc(got, func(x, y registry.Entry) int { return x.Ref.Compare(y.Ref) }) {
					t.Errorf("Lookup out of order: %v", got)
				}
				b.plugin.List("")
			}
		})
	}
	group.Wait()
	b.expectIDs("svc", 1, 2, 3, 4)
	if n := len(b.told()); n != writers*(2*rounds+1) {
		t.Errorf("%d events for %d changes", n, writers*(2*rounds+1))
	}
}

// registryObserve: what becomes of other nodes hides nothing that this node offers.
func registryObserve(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1))
	for _, kind := range []membership.EventType{
		membership.PeerUp, membership.MemberUp, membership.PeerDown, membership.MemberSuspect,
		membership.MemberDown, membership.MemberUp, membership.MemberLeft,
	} {
		b.plugin.Input(registry.Input{Kind: registry.Member, Event: membership.Event{Type: kind, Node: name.MustNode("other@127.0.0.1"), Incarnation: 1}})
	}
	b.expectIDs("svc", 1)
	b.expectTold("registered svc 1")
}

func registryBound(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1, "key", strings.Repeat("x", registry.MaxMeta-3)))
	big := b.entry("svc", 2, "key", strings.Repeat("x", registry.MaxMeta-2))
	if err := b.plugin.Put(t.Context(), big); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("Put of MaxMeta+1 bytes: %v; want ErrTooLarge", err)
	}
	b.expectIDs("svc", 1)
	b.expectTold("registered svc 1")
}

func registryContext(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	b.put(b.entry("svc", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.plugin.Put(ctx, b.entry("svc", 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with an ended context: %v", err)
	}
	if err := b.plugin.Remove(ctx, b.first().Service, b.first().Ref, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Remove with an ended context: %v", err)
	}
	b.expectIDs("svc", 1)
}

func registryList(t T, h RegistryHarness) {
	b := newRegistryBench(t, h)
	for i, service := range []string{"room/b", "zoo", "room/a", "room/a", "roo", "gone"} {
		b.put(b.entry(service, uint64(i+1)))
	}
	gone := b.entry("gone", 6)
	if err := b.plugin.Remove(t.Context(), gone.Service, gone.Ref, ""); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	for prefix, want := range map[string]string{
		"": "[{roo 1} {room/a 2} {room/b 1} {zoo 1}]", "room/": "[{room/a 2} {room/b 1}]", "x": "[]", "gone": "[]",
	} {
		if got := fmt.Sprint(b.plugin.List(prefix)); got != want {
			t.Errorf("List(%q): %s, want %s", prefix, got, want)
		}
	}
	if b.plugin.List("x") == nil {
		t.Errorf("List of nothing is nil, want it empty")
	}
}
