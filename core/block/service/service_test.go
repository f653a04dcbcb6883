package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/core/block/service"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a registry in memory, also of what others register; found is what Find brings.
type book struct {
	*index.Index
	mu    sync.Mutex
	emit  func(registry.Event)
	found []registry.Entry
	asked int
	fails error
	busy  bool // nobody is asked

	removes chan struct{} // if there is one, a Remove sends on it, then waits for it
	lists   func()        // called by List, if there is one
}

func (b *book) List(prefix string) []registry.Count {
	if b.lists != nil {
		b.lists()
	}
	return b.Index.List(prefix)
}

func (b *book) Put(ctx context.Context, e registry.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return b.fails
	}
	kind := registry.Registered
	if i, found := b.Search(b.Lookup(e.Service), e.Ref); found {
		kind, e.Since = registry.Updated, b.Lookup(e.Service)[i].Since
	}
	b.Apply(index.Change{Entry: e})
	b.emit(registry.Event{Type: kind, Entry: e})
	return ctx.Err()
}

func (b *book) Remove(_ context.Context, s name.Service, ref name.Ref, reason string) error {
	if b.removes != nil {
		b.removes <- struct{}{}
		<-b.removes
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i, found := b.Search(b.Lookup(s), ref)
	if !found {
		return registry.ErrNotFound
	}
	e := b.Lookup(s)[i]
	b.Apply(index.Change{Entry: e, Remove: true})
	kind := registry.Unregistered
	if reason != "" {
		kind = registry.EntryDown
	}
	b.emit(registry.Event{Type: kind, Entry: e, Reason: reason})
	return nil
}

func (b *book) Find(ctx context.Context, s name.Service) error {
	b.mu.Lock()
	b.asked++
	found, busy := b.found, b.busy
	b.mu.Unlock()
	if busy {
		return registry.ErrBusy
	}
	for _, e := range found {
		if e.Service == s {
			_ = b.Put(ctx, e)
		}
	}
	return nil
}

// proc is a process that ends when it is told to.
type proc struct {
	ref    name.Ref
	done   chan struct{}
	reason error
}

func (p *proc) Ref() name.Ref         { return p.ref }
func (p *proc) Done() <-chan struct{} { return p.done }
func (p *proc) Reason() error         { return p.reason }

func (p *proc) end(reason error) {
	p.reason = reason
	close(p.done)
}

type bench struct {
	*testing.T
	*service.Services
	book *book
	self name.Node
	next uint64

	tasks *plugin.Tasks

	mu    sync.Mutex
	bound []string
	fails error // of bind
	rtt   map[name.Node]time.Duration
}

func (b *bench) bind(s name.Service, _ name.Ref) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return b.fails
	}
	b.bound = append(b.bound, s.String())
	return nil
}

func (b *bench) unbind(s name.Service, _ name.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = slices.DeleteFunc(b.bound, func(o string) bool { return o == s.String() })
}

// move sets how far nodes are, and lets that be noticed.
func (b *bench) move(rtt map[name.Node]time.Duration) {
	b.mu.Lock()
	b.rtt = rtt
	b.mu.Unlock()
	time.Sleep(1100 * time.Millisecond)
	synctest.Wait()
}

func (b *bench) distances() map[name.Node]time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rtt
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, self: name.MustNode("me@h"), rtt: map[name.Node]time.Duration{}}
	b.book = &book{Index: index.New(b.self)}
	tasks := plugin.NewTasks(func(p plugin.Panic) { t.Errorf("%v", p) })
	b.tasks = tasks
	b.Services = service.New(service.Config{
		Node: b.self, Registry: b.book, Tasks: tasks, Log: slog.New(slog.DiscardHandler),
		Bind: b.bind, Unbind: b.unbind, Distances: b.distances,
	})
	b.book.emit = b.Observe
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) proc() *proc {
	b.next++
	return &proc{ref: name.Ref{Node: b.self, Incarnation: 1, ID: b.next}, done: make(chan struct{})}
}

func (b *bench) register(s string, meta ...string) (*service.Registration, *proc) {
	b.Helper()
	p := b.proc()
	r, err := b.Register(b.Context(), name.MustService(s), pairs(meta), p)
	if err != nil {
		b.Fatal(err)
	}
	return r, p
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

// remote is what another node registers.
func (b *bench) remote(s, node string, id uint64, meta ...string) registry.Entry {
	b.Helper()
	e := registry.Entry{Service: name.MustService(s), Ref: name.Ref{Node: name.MustNode(node), Incarnation: 1, ID: id}, Meta: pairs(meta)}
	if err := b.book.Put(b.Context(), e); err != nil {
		b.Fatal(err)
	}
	return e
}

func (b *bench) whereis(s string, o ...service.Option) string {
	b.Helper()
	e, err := b.Whereis(b.Context(), name.MustService(s), o...)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s/%d", e.Ref.Node.Base(), e.Ref.ID)
}

// tell collects events until the next says done.
func tell(b *bench, w *service.Watcher, n int) (list []string) {
	b.Helper()
	for range n {
		e, err := w.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Type, e.Entry.Service, e.Entry.Meta["v"], e.Reason)))
	}
	return list
}

func expect(b *bench, got []string, want ...string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("got %q, want %q", got, want)
	}
}

func TestGoneWithItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		w := b.Watch("")
		defer w.Close()
		r, p := b.register("s", "v", "1")
		_, calm := b.register("t", "v", "1")
		expect(b, tell(b, w, 3), "registered s 1", "registered t 1", "synced")
		p.end(errors.New("boom"))
		<-r.Done()
		calm.end(nil)
		expect(b, tell(b, w, 2), "down s 1 process ended: boom", "down t 1 process ended")
		if len(b.bound) > 0 {
			t.Errorf("still bound: %v", b.bound)
		}
		if err := r.Update(t.Context(), nil); !errors.Is(err, service.ErrEnded) {
			t.Errorf("Update after the end: %v", err)
		}
		if _, err := b.Register(t.Context(), name.MustService("s"), nil, p); !errors.Is(err, service.ErrEnded) {
			t.Errorf("Register of the dead: %v", err)
		}
	})
}

func TestUpdateCloseUnregister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		w := b.Watch("room/")
		defer w.Close()
		r, p := b.register("room/a", "v", "1")
		b.register("room/a", "v", "2")
		b.register("other")
		if err := r.Update(t.Context(), pairs([]string{"v", "3"})); err != nil {
			t.Fatal(err)
		}
		again, err := b.Register(t.Context(), name.MustService("room/a"), pairs([]string{"v", "4"}), p)
		if err != nil || again != r {
			t.Errorf("registered again: %v, %v; want the same registration, updated", again, err)
		}
		if n, err := b.Unregister(name.MustService("room/a")); n != 2 || err != nil {
			t.Errorf("Unregister: %d, %v", n, err)
		}
		if n, err := b.Unregister(name.MustService("room/a")); n != 0 || err != nil {
			t.Errorf("Unregister again: %d, %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close after Unregister: %v", err)
		}
		got := tell(b, w, 1)
		expect(b, got, "synced")
		expect(b, []string{fmt.Sprint(b.List(""))}, "[{other 1}]")
	})
}

func TestUntilAContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r, _ := b.register("s")
		ctx, cancel := context.WithCancel(t.Context())
		r.Until(ctx)
		cancel()
		<-r.Done()
		synctest.Wait()
		if got := b.Lookup(name.MustService("s")); len(got) > 0 {
			t.Errorf("still there: %v", got)
		}
	})
}

func TestARefusedRegistrationLeavesNothing(t *testing.T) {
	b := newBench(t)
	b.book.fails = registry.ErrTooLarge
	if _, err := b.Register(t.Context(), name.MustService("s"), nil, b.proc()); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	if n, _ := b.Unregister(name.MustService("s")); n != 0 {
		t.Errorf("%d registrations are left", n)
	}
}

func TestLocalFirstThenTheNearest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.remote("s", "far@h", 1)
		b.remote("s", "near@h", 1)
		b.remote("s", "unlinked@h", 1)
		b.move(map[name.Node]time.Duration{name.MustNode("far@h"): 30 * time.Millisecond, name.MustNode("near@h"): time.Millisecond})
		for range 2 {
			expect(b, []string{b.whereis("s")}, "near/1")
		}
		b.move(map[name.Node]time.Duration{name.MustNode("far@h"): time.Millisecond, name.MustNode("near@h"): 9 * time.Millisecond})
		expect(b, []string{b.whereis("s")}, "far/1")
		b.register("s")
		expect(b, []string{b.whereis("s")}, "me/1")
		if got := b.LookupLocal(name.MustService("s")); len(got) != 1 || got[0].Ref.Node != b.self {
			t.Errorf("LookupLocal: %v", got)
		}
	})
}

func TestAMissAsksTheNeighbours(t *testing.T) {
	b := newBench(t)
	b.book.found = []registry.Entry{{Service: name.MustService("s"), Ref: name.Ref{Node: name.MustNode("x@h"), Incarnation: 1, ID: 4}}}
	expect(b, []string{b.whereis("s")}, "x/4")
	if _, err := b.Whereis(t.Context(), name.MustService("t")); !errors.Is(err, registry.ErrNotFound) || b.book.asked != 2 {
		t.Errorf("%v after %d questions", err, b.book.asked)
	}
	b.book.busy = true
	if _, err := b.Whereis(t.Context(), name.MustService("u")); !errors.Is(err, registry.ErrBusy) || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("nobody was asked: %v", err)
	}
}

func TestRetriesEndWhenItArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		begun := time.Now()
		go func() {
			time.Sleep(150 * time.Millisecond)
			b.remote("s", "x@h", 1)
		}()
		expect(b, []string{b.whereis("s", service.Retries(5))}, "x/1")
		if took := time.Since(begun); took != 150*time.Millisecond {
			t.Errorf("took %v", took)
		}
		begun = time.Now()
		_, err := b.Whereis(t.Context(), name.MustService("t"), service.Retries(3))
		if took := time.Since(begun); !errors.Is(err, registry.ErrNotFound) || took < 700*time.Millisecond || took > 1050*time.Millisecond {
			t.Errorf("%v after %v, want about 0.7 to 1.05 s", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		begun = time.Now()
		if _, err := b.Whereis(ctx, name.MustService("t"), service.Retries(9)); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 200*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestPickers(t *testing.T) {
	b := newBench(t)
	for i, load := range []string{"7", "no number", "2.5", "9"} {
		b.remote("s", fmt.Sprintf("n%d@h", i), 1, "load", load)
	}
	expect(b, []string{b.whereis("s", service.By(service.Least("load")))}, "n2/1")
	turn := service.RoundRobin()
	seen := []string{}
	for range 5 {
		seen = append(seen, b.whereis("s", service.By(turn)))
	}
	expect(b, seen, "n0/1", "n1/1", "n2/1", "n3/1", "n0/1")
	random := map[string]bool{}
	for range 200 {
		random[b.whereis("s", service.By(service.Random()))] = true
	}
	if len(random) != 4 {
		t.Errorf("random picked %v only", random)
	}
}

func TestStickyMovesFew(t *testing.T) {
	b := newBench(t)
	var last registry.Entry
	for i := range 5 {
		last = b.remote("s", fmt.Sprintf("n%d@h", i), 1)
	}
	before, keys := map[string]string{}, 500
	counts := map[string]int{}
	for i := range keys {
		key := fmt.Sprint("user", i)
		before[key] = b.whereis("s", service.By(service.Sticky(key)))
		counts[before[key]]++
	}
	_ = b.book.Remove(t.Context(), last.Service, last.Ref, "")
	for key, was := range before {
		if now := b.whereis("s", service.By(service.Sticky(key))); now != was && was != "n4/1" {
			t.Fatalf("%s moved from %s to %s", key, was, now)
		}
	}
	for who, n := range counts {
		if n < keys/10 || n > keys*3/10 {
			t.Errorf("%s has %d of %d keys", who, n, keys)
		}
	}
}

func TestWhereisAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.remote("one", "x@h", 1)
	b.remote("two", "x@h", 1)
	b.remote("two", "y@h", 1)
	for _, s := range []string{"one", "two"} {
		known := name.MustService(s)
		if n := testing.AllocsPerRun(100, func() { _, _ = b.Whereis(t.Context(), known) }); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
	pick := service.By(service.RoundRobin())
	known := name.MustService("two")
	if n := testing.AllocsPerRun(100, func() { _, _ = b.Whereis(t.Context(), known, pick) }); n > 1 {
		t.Errorf("with a picker: %v allocations, want that of the options at most", n)
	}
}

func BenchmarkWhereis(b *testing.B) {
	for _, instances := range []int{1, 3} {
		b.Run(fmt.Sprint(instances, " instances"), func(b *testing.B) {
			x := &book{Index: index.New(name.MustNode("me@h")), emit: func(registry.Event) {}}
			s := service.New(service.Config{Node: name.MustNode("me@h"), Registry: x})
			for i := range 100_000 {
				x.Apply(index.Change{Entry: registry.Entry{Service: name.MustService(fmt.Sprint("s", i/instances)), Ref: name.Ref{Node: name.MustNode(fmt.Sprintf("n%d@h", i%instances)), ID: 1}}})
			}
			known := name.MustService("s7")
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if e, err := s.Whereis(ctx, known); err != nil || e.Ref.ID != 1 {
						b.Fail()
					}
				}
			})
		})
	}
}
