package registrymemory

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	plugintest.Registry(t, plugintest.RegistryHarness{New: func(t plugintest.T, env registry.Env) registry.Plugin {
		return create(t, env, defaults())
	}})
}

func create(t plugintest.T, env registry.Env, s *Settings) registry.Plugin {
	p, err := Factory().New(env, s)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p
}

// filled is a started registry with n entries of one service.
func filled(tb testing.TB, s *Settings, n int) (registry.Plugin, registry.Entry) {
	tb.Helper()
	env := registry.Env{Env: plugintest.Env(tb, "self@127.0.0.1"), Emit: func(registry.Event) {}}
	p := create(tb, env, s)
	if err := p.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	e := registry.Entry{Service: name.MustService("svc"), Ref: name.Ref{Node: env.Node, Incarnation: env.Incarnation}}
	for i := range n {
		e.Ref.ID = uint64(i + 1)
		if err := p.Put(tb.Context(), e); err != nil {
			tb.Fatal(err)
		}
	}
	return p, e
}

func TestEntriesAreBounded(t *testing.T) {
	p, e := filled(t, &Settings{MaxEntries: 3}, 3)
	e.Ref.ID = 4
	if err := p.Put(t.Context(), e); err == nil || !strings.Contains(err.Error(), "max_entries") {
		t.Errorf("fourth of three entries: %v; want an error that names max_entries", err)
	}
	e.Ref.ID = 3
	e.Meta = map[string]string{"k": "v"}
	if err := p.Put(t.Context(), e); err != nil {
		t.Errorf("update when full: %v", err)
	}
	if err := p.Remove(t.Context(), e.Service, e.Ref, ""); err != nil {
		t.Fatal(err)
	}
	e.Ref.ID = 4
	if err := p.Put(t.Context(), e); err != nil {
		t.Errorf("after one was removed: %v", err)
	}
}

func TestValidate(t *testing.T) {
	if got := (&Settings{}).Validate(); len(got) != 1 || got[0].Path != "max_entries" {
		t.Errorf("zero entries: %+v", got)
	}
	if got := defaults().Validate(); len(got) != 0 {
		t.Errorf("defaults: %+v", got)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	p, e := filled(t, defaults(), 10)
	if n := testing.AllocsPerRun(100, func() { p.Lookup(e.Service) }); n != 0 {
		t.Errorf("%v allocations for a Lookup", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	p, e := filled(b, defaults(), 10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Lookup(e.Service)
		}
	})
}
