package core_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/plugins"
	registryormap "github.com/barrelp2p/barrel/plugins/registry-ormap"
)

// measured is a node on QUIC whose registry is looked at: what it says and hears, in
// bytes, and the plugin itself, so that entries need no processes.
type measured struct {
	*core.Node
	registry.Plugin
	registry.Network
	env         registry.Env
	sent, heard atomic.Int64
}

func (m *measured) Send(node name.Node, frame []byte) error {
	m.sent.Add(int64(len(frame)))
	return m.Network.Send(node, frame)
}

func (m *measured) Broadcast(data []byte) error {
	m.sent.Add(int64(len(data)))
	return m.Network.Broadcast(data)
}

func (m *measured) Input(in registry.Input) {
	m.heard.Add(int64(len(in.Data)))
	m.Plugin.Input(in)
}

// Start and Stop are the plugin's here; the node's are called as such.
func (m *measured) Start(ctx context.Context) error { return m.Plugin.Start(ctx) }

// Stop is the plugin's.
func (m *measured) Stop(ctx context.Context) error { return m.Plugin.Stop(ctx) }

// Lookup, List and the rest are those of the plugin.
func (m *measured) Lookup(s name.Service) []registry.Entry { return m.Plugin.Lookup(s) }

// List is the plugin's.
func (m *measured) List(prefix string) []registry.Count { return m.Plugin.List(prefix) }

func startMeasured(b *testing.B, dir string, i int) *measured {
	b.Helper()
	cat := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: fmt.Sprintf("n%d@127.0.0.1", i), Listen: "127.0.0.1:0", DataDir: filepath.Join(dir, fmt.Sprint(i)), Join: []string{"n0@127.0.0.1"},
		Sets: []string{"discovery.file.dir=" + filepath.Join(dir, "discovery"), "bootstrap.retry=200ms"},
	}, cat)
	if err != nil {
		b.Fatal(err)
	}
	m := &measured{}
	factory := registryormap.Factory()
	m.Node, err = core.New(cfg, cat, core.WithoutSocket(), core.WithRegistry("ormap", func(env registry.Env) (registry.Plugin, error) {
		m.Network, m.env = env.Network, env
		env.Network = m
		m.Plugin, err = factory.New(env, factory.Settings())
		return m, err
	}))
	if err == nil {
		err = m.Node.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Node.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return m
}

// offer registers services with metadata that makes each about 200 bytes.
func (m *measured) offer(b *testing.B, n int) (bytes int64) {
	b.Helper()
	text := strings.Repeat("x", 150)
	for i := range n {
		e := registry.Entry{
			Service: name.MustService(fmt.Sprintf("service/%d", i)), Meta: map[string]string{"text": text},
			Ref: name.Ref{Node: m.env.Node, Incarnation: m.env.Incarnation, ID: uint64(i + 1000)},
		}
		if err := m.Put(b.Context(), e); err != nil {
			b.Fatal(err)
		}
		bytes += int64(len(e.Service.String()) + 9 + len(text) + len("text") + 12) // name, id, times and lengths
	}
	return bytes
}

func (m *measured) entries() (n int) {
	for _, c := range m.List("") {
		n += c.Instances
	}
	return n
}

func until(b *testing.B, what string, cond func() bool) {
	b.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%s: not within five minutes", what)
		}
	}
}

// BenchmarkRegistryJoin: how long a node that joins a cluster with 10,000 entries takes to
// have all of them, and how many bytes for those of the entries.
func BenchmarkRegistryJoin(b *testing.B) {
	const nodes, each = 10, 1000
	for range b.N {
		dir := b.TempDir()
		all := make([]*measured, 0, nodes)
		bytes := int64(0)
		for i := range nodes {
			m := startMeasured(b, dir, i)
			all = append(all, m)
			bytes += m.offer(b, each)
		}
		until(b, "all have all", func() bool {
			for _, m := range all {
				if m.entries() != nodes*each {
					return false
				}
			}
			return true
		})
		time.Sleep(35 * time.Second) // until what was broadcast is no longer told to newcomers
		begun := time.Now()
		late := startMeasured(b, dir, nodes)
		started := time.Since(begun)
		until(b, "the joiner knows all members", func() bool { return len(late.Members()) == nodes+1 })
		b.ReportMetric(time.Since(begun).Seconds(), "s/members")
		until(b, "the joiner has all", func() bool { return late.entries() == nodes*each })
		joined := time.Since(begun)
		b.ReportMetric(joined.Seconds(), "s/join")
		b.ReportMetric(started.Seconds(), "s/start")
		time.Sleep(2 * time.Second) // for what comes twice
		heard := float64(late.heard.Load()) / float64(bytes)
		b.ReportMetric(heard, "bytes/entry-byte")
		if joined > 3*time.Second || heard > 1.2 {
			b.Errorf("%v and %.2f bytes for each of an entry, at most 3s and 1.2", joined, heard)
		}
	}
}

// BenchmarkRegistryIdle: what the registry says at each node while nothing happens, in a
// second.
func BenchmarkRegistryIdle(b *testing.B) {
	for _, nodes := range []int{20, 100} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for range b.N {
				rate := idle(b, nodes, 10)
				b.ReportMetric(rate, "B/s/node")
				if rate > 500 {
					b.Errorf("%.0f bytes a second at each node, at most 500", rate)
				}
			}
		})
	}
}

func idle(b *testing.B, nodes, each int) (rate float64) {
	dir := b.TempDir()
	all := make([]*measured, 0, nodes)
	for i := range nodes {
		m := startMeasured(b, dir, i)
		all = append(all, m)
		m.offer(b, each)
	}
	until(b, "all have all", func() bool {
		for _, m := range all {
			if m.entries() != nodes*each {
				return false
			}
		}
		return true
	})
	time.Sleep(15 * time.Second)
	said := func() (n int64) {
		for _, m := range all {
			n += m.sent.Load()
		}
		return n
	}
	before, begun := said(), time.Now()
	time.Sleep(30 * time.Second)
	return float64(said()-before) / time.Since(begun).Seconds() / float64(nodes)
}
