package plugintest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// DiscoveryHarness says how to make a discovery backend for the suite.
type DiscoveryHarness struct {
	// New makes a backend, not yet started, that works for env.Node and knows the
	// nodes of known at exactly these addresses, in this order, and no others. The
	// world it needs (files, a server) is made here and tidied up with t.Cleanup.
	New func(t T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin
	// Teach makes node known to, or changes it in, the world of a running backend
	// from outside. Required of a discovery.Watcher; others leave it nil.
	Teach func(t T, env plugin.Env, node name.Node, endpoints []name.Address)
	// Foreign: New cannot say what a backend knows; Known is what it is known to know,
	// maybe among others. What needs more than that is not checked.
	Foreign bool
	Known   map[name.Node][]name.Address
}

// table is what a backend of New knows.
func (h DiscoveryHarness) table() map[name.Node][]name.Address {
	if h.Foreign {
		return h.Known
	}
	return discoveryTable()
}

// known is a node that a backend of New knows; one that it does not know if there is
// none.
func (h DiscoveryHarness) known() (node name.Node, ok bool) {
	nodes := slices.SortedFunc(maps.Keys(h.table()), name.Node.Compare)
	if len(nodes) == 0 {
		return name.MustNode(discoveryNobody), false
	}
	return nodes[0], true
}

// Discovery is the suite of a discovery backend: the life of a part, and what
// discovery.Plugin promises of lookups. Publisher, Lister, Watcher and
// plugin.HealthReporter are tested where the backend has them. All of it is done twice:
// with the backend itself, and with the two halves of the wire between.
func Discovery(t *testing.T, h DiscoveryHarness) {
	t.Helper()
	runAll(t, h, discoveryChecks())
	t.Run("wire", func(t *testing.T) { runAll(t, h.OverWire(), discoveryChecks()) })
}

// DiscoveryProcess is the suite of a discovery backend for a harness whose backends
// live in processes of their own.
func DiscoveryProcess(t *testing.T, h DiscoveryHarness) {
	t.Helper()
	runAll(t, h, discoveryChecks())
}

func discoveryChecks() []check[DiscoveryHarness] {
	return []check[DiscoveryHarness]{
		{"life cycle", discoveryLifeCycle},
		{"stop leaves nothing running", discoveryLeavesNothing},
		{"health is a known state", discoveryHealth},
		{"known node is answered", discoveryKnown},
		{"unknown node is not found", discoveryUnknown},
		{"cancelled context is honoured", discoveryCancelled},
		{"answers are not shared", discoveryNotShared},
		{"lookups at the same time", discoveryConcurrent},
		{"published node is found", discoveryPublished},
		{"publish replaces", discoveryPublishReplaces},
		{"withdrawn node is not found", discoveryWithdrawn},
		{"withdraw of nothing is fine", discoveryWithdrawNothing},
		{"listing is sorted and whole", discoveryListing},
		{"watcher tells of a change", discoveryWatchTells},
		{"watch ends with its context", discoveryWatchEndsWithContext},
		{"watch ends with the backend", discoveryWatchEndsWithStop},
		{"watcher never waits for its reader", discoveryWatchSlowReader},
	}
}

// The names are spelled so that every backend can know them: a DNS backend by a zone,
// a file backend by a file name.
const (
	discoverySelf   = "self@self.test"
	discoveryFirst  = "first@first.test"
	discoverySecond = "second@second.test"
	discoveryNobody = "nobody@nowhere.test"
)

const (
	discoverySoon    = 5 * time.Second // bound for what should take milliseconds
	discoveryPrompt  = 2 * time.Second // bound for what should take no time at all
	discoveryChanges = 40              // more than a watch can be expected to buffer
)

func discoveryTable() map[name.Node][]name.Address {
	return map[name.Node][]name.Address{
		name.MustNode(discoveryFirst):  {name.MustAddress("127.0.0.1:9101"), name.MustAddress("127.0.0.1:9102")},
		name.MustNode(discoverySecond): {name.MustAddress("127.0.0.2:9103")},
	}
}

// discoveryRun makes and starts a backend that knows discoveryTable, and stops it at
// the end.
func discoveryRun(t T, h DiscoveryHarness) (discovery.Plugin, plugin.Env) {
	t.Helper()
	env := Env(t, discoverySelf)
	p := h.New(t, env, h.table())
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		expectStop(ctx, t, p, "Stop at the end")
	})
	return p, env
}

func discoveryLifeCycle(t T, h DiscoveryHarness) {
	t.Helper()
	env := Env(t, discoverySelf)
	lifecycle(t, func(t T) plugin.Part { return h.New(t, env, h.table()) })
}

func discoveryLeavesNothing(t T, h DiscoveryHarness) {
	t.Helper()
	env := Env(t, discoverySelf)
	p := h.New(t, env, h.table())
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var started strays
	started.follow(ctx, func() {
		if err := p.Start(ctx); err != nil {
			t.Fatalf("Start: %v", err)
		}
		if node, ok := h.known(); ok {
			discoveryLookup(t, p, node)
		} else {
			_, _ = p.Lookup(ctx, node)
		}
		expectStop(ctx, t, p, "Stop")
	})
	if left := env.Tasks.Running(); len(left) > 0 {
		t.Errorf("after Stop tasks %v still run", left)
	}
	var left []string
	if !discoveryWithin(discoveryPrompt, func() bool { left = started.left(); return len(left) == 0 }) {
		t.Errorf("after Stop goroutines still run:\n%s", strings.Join(left, "\n"))
	}
}

func discoveryHealth(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	reporter, ok := p.(plugin.HealthReporter)
	if !ok {
		return
	}
	switch health := reporter.Health(); health.State {
	case plugin.Healthy, plugin.Degraded:
	default:
		t.Errorf("a backend that has started says %+v", health)
	}
}

func discoveryKnown(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	for node, want := range h.table() {
		answer := discoveryLookup(t, p, node)
		if !slices.Equal(answer.Endpoints, want) {
			t.Errorf("%s is at %v, Lookup says %v", node, want, answer.Endpoints)
		}
		if answer.TTL < 0 {
			t.Errorf("%s: TTL %v is negative", node, answer.TTL)
		}
	}
}

func discoveryUnknown(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	discoveryExpectNotFound(t, p, name.MustNode(discoveryNobody), "a node nobody knows")
}

func discoveryCancelled(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	node, _ := h.known()
	for _, node := range []name.Node{node, name.MustNode(discoveryNobody)} {
		done := make(chan error, 1)
		go func() {
			_, err := p.Lookup(ctx, node)
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Lookup of %s with a cancelled context says %v, want %v", node, err, context.Canceled)
			}
		case <-time.After(discoveryPrompt):
			t.Errorf("Lookup of %s with a cancelled context has not returned after %v", node, discoveryPrompt)
		}
	}
}

func discoveryNotShared(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	node, ok := h.known()
	if !ok {
		return
	}
	spoiled := name.MustAddress("203.0.113.1:1")
	answer := discoveryLookup(t, p, node)
	for i := range answer.Endpoints {
		answer.Endpoints[i] = spoiled
	}
	if again := discoveryLookup(t, p, node); slices.Contains(again.Endpoints, spoiled) {
		t.Errorf("writing into one answer changed the next: %v", again.Endpoints)
	}
}

func discoveryConcurrent(t T, h DiscoveryHarness) {
	t.Helper()
	p, _ := discoveryRun(t, h)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for node, want := range h.table() {
				answer, err := p.Lookup(t.Context(), node)
				if err != nil || !slices.Equal(answer.Endpoints, want) {
					t.Errorf("%s is at %v, Lookup says %v, %v", node, want, answer.Endpoints, err)
				}
			}
		})
	}
	wg.Wait()
}

func discoveryLookup(t T, p discovery.Plugin, node name.Node) discovery.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	answer, err := p.Lookup(ctx, node)
	if err != nil {
		t.Fatalf("Lookup of %s: %v", node, err)
	}
	if len(answer.Endpoints) == 0 {
		t.Fatalf("Lookup of %s: no error and no endpoint; want discovery.ErrNotFound", node)
	}
	return answer
}

func discoveryExpectNotFound(t T, p discovery.Plugin, node name.Node, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	answer, err := p.Lookup(ctx, node)
	if !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("%s: Lookup says %v, %v; want discovery.ErrNotFound", what, answer.Endpoints, err)
	}
}

// discoveryWithin polls until cond holds; it reports whether that happened in time.
func discoveryWithin(bound time.Duration, cond func() bool) bool {
	for deadline := time.Now().Add(bound); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
