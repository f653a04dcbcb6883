package registryormap

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// alone is the network of a node without neighbours, in a cluster without keys.
type alone struct{}

func (alone) Broadcast([]byte) error              { return nil }
func (alone) Send(name.Node, []byte) error        { return registry.ErrNoLink }
func (alone) Neighbours() []name.Node             { return nil }
func (alone) Key(name.Node) (k trust.Key, _ bool) { return k, true }
func (alone) RTT(name.Node) time.Duration         { return 0 }
func (alone) Public() (k trust.Key)               { return k }
func (alone) Sign([]byte) (sig [64]byte)          { return sig }

// filled is a started registry with n entries, of as many services.
func filled(tb testing.TB, n int) (*ormap, registry.Entry) {
	tb.Helper()
	s := defaults()
	s.MaxEntries, s.MaxBytes = max(n, 3), 1<<28
	env := registry.Env{Env: plugintest.Env(tb, "self@127.0.0.1"), Network: alone{}, Signer: alone{}, Emit: func(registry.Event) {}}
	p := create(tb, env, s)
	if err := p.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	var e registry.Entry
	for i := range n {
		e = registry.Entry{
			Service: name.MustService(fmt.Sprintf("service/%d", i)), Ref: name.Ref{Node: env.Node, Incarnation: env.Incarnation, ID: uint64(i + 1)},
			Meta: map[string]string{"load": "0.5"},
		}
		if err := p.Put(tb.Context(), e); err != nil {
			tb.Fatal(err)
		}
	}
	return p.(*ormap), e
}

func TestLookupAllocatesNothing(t *testing.T) {
	p, e := filled(t, 10)
	if n := testing.AllocsPerRun(100, func() { p.Lookup(e.Service) }); n != 0 {
		t.Errorf("%v allocations for a Lookup", n)
	}
}

func TestOwnBoundsAreReported(t *testing.T) {
	p, e := filled(t, 3)
	e.Ref.ID = 99
	err := p.Put(t.Context(), e)
	if err == nil || !strings.Contains(err.Error(), "max_entries") {
		t.Errorf("fourth of three: %v", err)
	}
	p.settings.MaxMeta = 10
	e.Ref.ID, e.Meta = 3, map[string]string{"key": "12345678"}
	if err := p.Put(t.Context(), e); err == nil || !strings.Contains(err.Error(), "11 bytes in 1 pairs, at most 10") {
		t.Errorf("too much metadata: %v", err)
	}
}

func TestValidate(t *testing.T) {
	if got := defaults().Validate(); len(got) != 0 {
		t.Errorf("defaults: %+v", got)
	}
	if got := (&Settings{MaxMeta: 1 << 20}).Validate(); len(got) != 5 {
		t.Errorf("all wrong: %+v", got)
	}
}

func TestHealthy(t *testing.T) {
	p, _ := filled(t, 1)
	p.care()
	if h := p.Health(); h != (plugin.Health{State: plugin.Healthy}) {
		t.Errorf("health %+v", h)
	}
}

// More nodes than there is room for are reported, and what to do.
func TestTooManyNodesAreReported(t *testing.T) {
	p, _ := filled(t, 1)
	cfg := p.config()
	cfg.Log.MaxOwners = 10
	p.mu.Lock()
	p.machine = newMachine(cfg)
	p.mu.Unlock()
	up := func(node string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.step(replica.Input{Kind: replica.MemberUp, Node: name.MustNode(node), Inc: 1})
	}
	for i := range cfg.Log.MaxOwners - 1 {
		up(fmt.Sprintf("n%d@h", i))
	}
	if p.care(); p.Health().State != plugin.Healthy {
		t.Errorf("health when all fit: %+v", p.Health())
	}
	up("last@h")
	if p.care(); p.Health().State != plugin.Degraded || !strings.Contains(p.Health().Detail, "65536 nodes") {
		t.Errorf("health with one too many: %+v", p.Health())
	}
}

func BenchmarkLookup(b *testing.B) {
	p, e := filled(b, 100_000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if len(p.Lookup(e.Service)) != 1 {
				b.Fail()
			}
		}
	})
}
