package registryormap

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// texts are those of an entry; its metadata is one of so many.
func texts(i, metas int) (service, key, value string) {
	return fmt.Sprintf("service/%d", i), "load", fmt.Sprint("0.", i%metas)
}

// BenchmarkMemory reports the bytes of an entry, one of 100,000 of as many services, of
// this node itself and of 100 others, which say the same of each other and all something
// else: in all, beyond the bytes of its name and metadata, and beyond the same entry as a Go
// value, with its texts and its map.
func BenchmarkMemory(b *testing.B) {
	const n, owners = 100_000, 100
	for _, c := range []struct {
		what  string
		metas int
		fill  func(metas int) any
	}{
		{"own", 10, func(int) any { p, _ := filled(b, n); return p }},
		{"replicated", 10, func(metas int) any { return replicated(b, n, owners, metas) }},
		{"replicated, all different", n, func(metas int) any { return replicated(b, n, owners, metas) }},
	} {
		b.Run(c.what, func(b *testing.B) {
			for range b.N {
				raw := 0
				value := heap(func() any {
					list := make([]registry.Entry, n)
					for i := range list {
						service, key, value := texts(i, c.metas)
						raw += len(service) + len(key) + len(value)
						list[i].Service, list[i].Meta = name.MustService(service), map[string]string{key: value}
					}
					return list
				})
				all := heap(func() any { return c.fill(c.metas) })
				b.ReportMetric(float64(all)/n, "B/entry")
				b.ReportMetric(float64(all-int64(raw))/n, "beyond-texts-B/entry")
				b.ReportMetric(float64(all-value)/n, "beyond-value-B/entry")
				if beyond := all - max(value, int64(raw)); beyond > 400*n || c.metas < n && all-int64(raw) > 400*n {
					b.Errorf("%d bytes beyond the data of %d entries", beyond, n)
				}
			}
		})
	}
}

// keyless is the network of a node in a cluster without keys.
type keyless struct{ alone }

func (keyless) Key(name.Node) (k trust.Key, _ bool) { return k, true }

// replicated is a registry with n entries that came from others, as snapshots.
func replicated(b *testing.B, n, owners, metas int) *ormap {
	env := registry.Env{Env: plugintest.Env(b, "self@127.0.0.1"), Network: keyless{}, Signer: alone{}, Emit: func(registry.Event) {}}
	p := create(b, env, defaults()).(*ormap)
	p.mu.Lock()
	defer p.mu.Unlock()
	for o := range owners {
		owner := name.MustNode(fmt.Sprintf("owner%d@10.0.0.%d", o, o))
		cfg := ownerlog.Defaults()
		cfg.Self, cfg.Inc, cfg.Sign = owner, 1, func([]byte) (sig ownerlog.Signature) { return sig }
		log := ownerlog.New(cfg)
		for i := range n / owners {
			service, key, value := texts(o*n/owners+i, metas)
			e := registry.Entry{Meta: map[string]string{key: value}, Since: time.Now()}
			if err := log.Stage(ownerlog.Op{Key: keyOf(name.MustService(service), uint64(i+1)), Val: valueOf(&e)}); err != nil {
				b.Fatal(err)
			}
		}
		log.Seal()
		p.step(replica.Input{Kind: replica.MemberUp, Node: owner, Inc: 1})
		stream, _ := log.Serve(owner.String(), 0, 0).Append(nil, 1<<30)
		r := ownerlog.Reader{MaxItems: n, MaxBytes: 1 << 30}
		if err := r.Add(stream, func(rec ownerlog.Record) { p.machine.Store().Take(p.now(), rec) }); err != nil {
			b.Fatal(err)
		}
		p.step(replica.Input{Kind: replica.Tick})
	}
	if got := p.shown.Len(); got != n {
		b.Fatalf("%d entries are shown, want %d", got, n)
	}
	return p
}

func heap(fill func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := fill()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// BenchmarkReceive is what an operation of another node takes here, when one comes alone
// and when a hundred come in one batch: decoded, its signature verified, applied and its
// digest compared, among 1,000 entries.
func BenchmarkReceive(b *testing.B) {
	for _, ops := range []int{1, 100} {
		b.Run(fmt.Sprint(ops, " operations"), func(b *testing.B) {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				b.Fatal(err)
			}
			owner, all := name.MustNode("owner@10.0.0.1"), trust.Key(public)
			cfg := ownerlog.Defaults()
			cfg.Self, cfg.Inc = owner, 1
			cfg.Sign = func(m []byte) ownerlog.Signature {
				return ownerlog.Signature(ed25519.Sign(private, trust.Signed(trust.ForRegistry, m)))
			}
			from := ownerlog.New(cfg)
			cfg.Self = name.MustNode("self@10.0.0.2")
			cfg.Verify = func(_ name.Node, m []byte, sig *ownerlog.Signature) ownerlog.Verdict {
				if trust.Verify(all, trust.ForRegistry, m, *sig) {
					return ownerlog.Good
				}
				return ownerlog.Bad
			}
			to := ownerlog.New(cfg)
			to.Up(0, owner, 1)
			batch := func(count int) []byte {
				for range count {
					service, key, _ := texts(rand.IntN(1000), 10)
					e := registry.Entry{Meta: map[string]string{key: fmt.Sprint(rand.Uint64())}, Since: time.Now()}
					if err := from.Stage(ownerlog.Op{Key: keyOf(name.MustService(service), 1), Val: valueOf(&e)}); err != nil {
						b.Fatal(err)
					}
				}
				return ownerlog.AppendBatch(nil, from.Seal())
			}
			receive := func(data []byte) {
				got, err := ownerlog.DecodeBatch(data)
				if err != nil {
					b.Fatal(err)
				}
				to.Receive(0, got)
				to.Changes()
			}
			for range 30 {
				receive(batch(100))
			}
			bytes := 0
			for b.Loop() {
				b.StopTimer()
				data := batch(ops)
				bytes += len(data)
				b.StartTimer()
				receive(data)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(ops), "ns/operation")
			b.ReportMetric(float64(bytes)/float64(b.N), "B/batch")
			if s := to.Stats(); s.Applied != uint64(b.N)+30 {
				b.Errorf("%+v of %d", s, b.N)
			}
		})
	}
}
