// Package plugintest holds the conformance suites, one per kind of plugin: what a
// transport, a discovery backend, a trust plugin, a membership or a registry must
// promise, as tests. A plugin's own test calls its suite in a few lines and has proved
// that it can stand in its slot.
//
// It does not test what is special about a plugin; those tests stand beside it. Only
// tests import this package.
//
//	func TestConformance(t *testing.T) {
//		plugintest.Discovery(t, plugintest.DiscoveryHarness{New: ...})
//	}
//
// Each suite is itself tested: beside it stand implementations that are broken on
// purpose, one promise each, and the suite must find exactly that promise broken.
package plugintest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// T is what a check needs of a test. *testing.T is one; Recorder is another, which
// remembers instead of failing.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	TempDir() string
	Context() context.Context
	Cleanup(f func())
}

// check is one promise: its name and how to see whether it is kept.
type check[H any] struct {
	name string
	run  func(T, H)
}

// runAll runs every check as a subtest.
func runAll[H any](t *testing.T, h H, checks []check[H]) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// broken runs every check against a recorder and returns the names of those that
// failed with what they said, in order.
func broken[H any](t *testing.T, h H, checks []check[H]) []string {
	t.Helper()
	var failed []string
	for _, c := range checks {
		if said := Record(t, func(r T) { c.run(r, h) }); len(said) > 0 {
			failed = append(failed, c.name)
			t.Logf("%s: %s", c.name, strings.Join(said, "; "))
		}
	}
	return failed
}

// Record runs f against a recorder and returns what it complained about.
func Record(t *testing.T, f func(T)) []string {
	t.Helper()
	return record(t, f)
}

func record(w ward, f func(T)) []string {
	r := &recorder{ward: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanup()
		f(r)
	}()
	<-done
	return r.said
}

// ward is what a recorder takes from where it runs.
type ward interface {
	Logf(format string, args ...any)
	TempDir() string
	Context() context.Context
}

type recorder struct {
	ward

	mu    sync.Mutex
	said  []string
	after []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = append(r.after, f)
}

func (r *recorder) cleanup() {
	for i := len(r.after) - 1; i >= 0; i-- {
		r.after[i]()
	}
}

// Env is an environment for a plugin under test: a node name, a fresh data folder,
// goroutines that are stopped at the end, and a log that goes nowhere. A panic of the
// plugin's goroutines fails the test.
func Env(t T, node string) plugin.Env {
	t.Helper()
	tasks := plugin.NewTasks(func(p plugin.Panic) { t.Errorf("%v\n%s", p, p.Stack) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := tasks.Close(ctx); err != nil {
			t.Errorf("after the test: %v", err)
		}
	})
	return plugin.Env{
		Node:        name.MustNode(node),
		Cluster:     "test",
		Incarnation: 1,
		DataDir:     t.TempDir(),
		Log:         slog.New(slog.DiscardHandler),
		Tasks:       tasks,
	}
}

// Patience is for how long a check waits for something that should happen soon. It is
// a bound against hanging, not a measure of speed.
const Patience = 10 * time.Second

// Eventually polls until cond holds, and fails the test with what is missing if that
// does not happen within Patience.
func Eventually(t T, missing string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", missing, Patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// lifecycle is the part of every suite that is about Start and Stop.
func lifecycle(t T, create func(T) plugin.Part) {
	t.Helper()
	patiently(t, func(ctx context.Context) { expectStop(ctx, t, create(t), "Stop without Start") })
	part := create(t)
	for range 2 {
		patiently(t, func(ctx context.Context) {
			if err := part.Start(ctx); err != nil {
				t.Fatalf("Start: %v", err)
			}
			expectStop(ctx, t, part, "Stop")
			expectStop(ctx, t, part, "second Stop")
		})
	}
}

// patiently gives one life of a part, which may be that of a process, the time it needs.
func patiently(t T, live func(context.Context)) {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	live(ctx)
}

func expectStop(ctx context.Context, t T, part plugin.Part, what string) {
	t.Helper()
	if err := part.Stop(ctx); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
