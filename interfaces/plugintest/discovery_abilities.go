package plugintest

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// This file holds the checks of what a discovery backend may be able to do besides:
// publish, list, watch. A backend without the ability passes.

func discoveryPublished(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	publisher, ok := able[discovery.Publisher](p, "publish")
	if !ok {
		return
	}
	want := name.MustAddress("127.0.0.1:9200")
	for range 2 {
		discoveryPublish(t, publisher, env, want)
		discoveryExpectAt(t, p, env.Node, want)
	}
}

func discoveryPublishReplaces(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	publisher, ok := able[discovery.Publisher](p, "publish")
	if !ok {
		return
	}
	discoveryPublish(t, publisher, env, name.MustAddress("127.0.0.1:9200"), name.MustAddress("127.0.0.1:9201"))
	discoveryPublish(t, publisher, env, name.MustAddress("127.0.0.1:9300"))
	discoveryExpectAt(t, p, env.Node, name.MustAddress("127.0.0.1:9300"))
}

func discoveryWithdrawn(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	publisher, ok := able[discovery.Publisher](p, "publish")
	if !ok {
		return
	}
	discoveryPublish(t, publisher, env, name.MustAddress("127.0.0.1:9200"))
	if err := publisher.Withdraw(t.Context(), env.Node); err != nil {
		t.Fatalf("Withdraw: %v", err)
	}
	gone := func() bool { _, err := p.Lookup(t.Context(), env.Node); return err != nil }
	discoveryWithin(discoverySoon, gone)
	discoveryExpectNotFound(t, p, env.Node, "after Withdraw")
	if other, ok := h.known(); ok {
		discoveryLookup(t, p, other) // others are left alone
	}
}

func discoveryWithdrawNothing(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	publisher, ok := able[discovery.Publisher](p, "publish")
	if !ok {
		return
	}
	for _, what := range []string{"with nothing published", "a second time"} {
		if err := publisher.Withdraw(t.Context(), env.Node); err != nil {
			t.Errorf("Withdraw %s: %v", what, err)
		}
	}
}

func discoveryPublish(t T, publisher discovery.Publisher, env plugin.Env, endpoints ...name.Address) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	record := discovery.Record{
		Node: env.Node, Endpoints: endpoints, Incarnation: env.Incarnation, Written: time.Now().UTC(),
	}
	if err := publisher.Publish(ctx, record); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

func discoveryExpectAt(t T, p discovery.Plugin, node name.Node, want ...name.Address) {
	t.Helper()
	var said []name.Address
	seen := discoveryWithin(discoverySoon, func() bool {
		answer, _ := p.Lookup(t.Context(), node)
		said = answer.Endpoints
		return slices.Equal(said, want)
	})
	if !seen {
		t.Errorf("%s was published at %v, Lookup says %v", node, want, said)
	}
}

func discoveryListing(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	lister, ok := able[discovery.Lister](p, "list")
	if !ok {
		return
	}
	listing, err := lister.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	known := h.table()
	if len(listing.Records) < len(known) || len(listing.Records) > len(known) && !h.Foreign {
		t.Errorf("List has %d records, want %d: %v", len(listing.Records), len(known), listing.Records)
	}
	for i, r := range listing.Records {
		if i > 0 && listing.Records[i-1].Node.Compare(r.Node) >= 0 {
			t.Errorf("List is not sorted by node: %s stands before %s", listing.Records[i-1].Node, r.Node)
		}
		if want, there := known[r.Node]; !slices.Equal(r.Endpoints, want) && (there || !h.Foreign) {
			t.Errorf("%s is at %v, List says %v", r.Node, known[r.Node], r.Endpoints)
		}
	}
}

// discoveryWatch starts watching, if the backend can.
func discoveryWatch(ctx context.Context, t T, p discovery.Plugin, h DiscoveryHarness) <-chan name.Node {
	t.Helper()
	watcher, ok := able[discovery.Watcher](p, "watch")
	if !ok {
		return nil
	}
	if h.Teach == nil && !h.Foreign {
		t.Fatalf("the backend is a Watcher: its harness needs Teach")
	}
	changes, err := watcher.Watch(ctx)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return changes
}

func discoveryWatchTells(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	changes := discoveryWatch(t.Context(), t, p, h)
	if changes == nil || h.Teach == nil {
		return
	}
	node := name.MustNode("late@late.test")
	h.Teach(t, env, node, []name.Address{name.MustAddress("127.0.0.1:9400")})
	for bound := time.After(discoverySoon); ; {
		select {
		case changed, open := <-changes:
			if !open {
				t.Fatalf("the watch ended by itself")
			}
			if changed == node || changed.IsZero() {
				discoveryExpectAt(t, p, node, name.MustAddress("127.0.0.1:9400"))
				return
			}
		case <-bound:
			t.Fatalf("%s became known and the watcher has not said so after %v", node, discoverySoon)
		}
	}
}

func discoveryWatchEndsWithContext(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := discoveryWatch(ctx, t, p, h)
	if changes == nil {
		return
	}
	cancel()
	discoveryExpectClosed(t, changes, "its context ended")
}

func discoveryWatchEndsWithStop(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	changes := discoveryWatch(t.Context(), t, p, h)
	if changes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	expectStop(ctx, t, p, "Stop")
	discoveryExpectClosed(t, changes, "the backend stopped")
}

func discoveryExpectClosed(t T, changes <-chan name.Node, after string) {
	t.Helper()
	bound := time.After(discoverySoon)
	for {
		select {
		case _, open := <-changes:
			if !open {
				return
			}
		case <-bound:
			t.Errorf("the channel of Watch is open %v after %s", discoverySoon, after)
			return
		}
	}
}

// discoveryWatchSlowReader lets one watcher never read: another one must see the last
// of many changes all the same.
func discoveryWatchSlowReader(t T, h DiscoveryHarness) {
	t.Helper()
	p, env := discoveryRun(t, h)
	if discoveryWatch(t.Context(), t, p, h) == nil || h.Teach == nil {
		return
	}
	reader := discoveryWatch(t.Context(), t, p, h)
	node := name.MustNode("late@late.test")
	for i := range discoveryChanges {
		at := name.AddressFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10000+i)))
		h.Teach(t, env, node, []name.Address{at})
		discoveryExpectAt(t, p, node, at)
		if !discoveryHears(reader, node) {
			t.Fatalf("after %d changes that one watcher did not read, the other was told nothing for %v", i, discoverySoon)
		}
	}
}

func discoveryHears(changes <-chan name.Node, node name.Node) bool {
	for bound := time.After(discoverySoon); ; {
		select {
		case changed, open := <-changes:
			if !open {
				return false
			}
			if changed == node || changed.IsZero() {
				return true
			}
		case <-bound:
			return false
		}
	}
}
