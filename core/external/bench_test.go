package external

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// BenchmarkDiscovery is one lookup by each road; bare is go-plugin without anything of
// ours on either side.
func BenchmarkDiscovery(b *testing.B) {
	node := name.MustNode("a@h")
	direct := &oddBackend{port: 9100}
	lookup := func(p discovery.Plugin) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Lookup(b.Context(), node); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("direct", lookup(direct))
	conn, end, err := wire.InMemory(b.Context(), func(s grpc.ServiceRegistrar) {
		wire.Serve(s, wire.Fixed(plugin.Discovery, discovery.Contract, direct))
		wire.ServeDiscovery(s, wire.Hold[discovery.Plugin](direct))
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("memory", lookup(wire.NewDiscovery(conn)))
	end()
	facade := benchFacade(b)
	_, theirs := lookups(b, facade, startBare(b))
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			theirs()
		}
	})
	b.Run("process", lookup(facade))
}

func benchSpec(b testing.TB, kind plugin.Kind, flaw string) Spec {
	b.Helper()
	return Spec{Kind: kind, Name: "test", Command: executable(b), Args: []string{flaw}}
}

func benchFacade(b testing.TB) *discoveryFacade {
	b.Helper()
	made, err := Discovery(benchSpec(b, plugin.Discovery, "good"), Options{}).New(plugintest.Env(b, "self@h"), &plugin.Section{})
	if err != nil {
		b.Fatal(err)
	}
	facade, _ := made.(*discoveryFacade)
	if err := facade.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = facade.Stop(context.WithoutCancel(b.Context())) })
	return facade
}

// BenchmarkTrust is one verdict by each road, with one question about a pin on the way.
func BenchmarkTrust(b *testing.B) {
	pins, claim := plugintest.NewTrustPins(), trust.Claim{Node: name.MustNode("a@h"), Key: trust.Key{1}}
	pins.Put(claim.Node, claim.Key, "operator")
	decide := func(p trust.Plugin) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if err := p.Decide(b.Context(), claim); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("direct", decide(&oddDecider{env: trust.Env{Pins: pins}}))
	lent := wire.NewLentPins()
	var remote trust.Plugin = &oddDecider{env: trust.Env{Pins: lent}}
	conn, end, err := wire.InMemory(b.Context(), func(s grpc.ServiceRegistrar) {
		wire.Serve(s, wire.Fixed(plugin.Trust, trust.Contract, remote))
		wire.ServeTrust(s, wire.Hold(remote), lent)
	})
	if err != nil {
		b.Fatal(err)
	}
	half := wire.NewTrust(conn, pins)
	if err := half.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("memory", decide(half))
	_ = half.Stop(b.Context())
	end()
	made, err := Trust(benchSpec(b, plugin.Trust, "trust"), Options{}).New(trust.Env{Env: plugintest.Env(b, "self@h"), Pins: pins}, &plugin.Section{})
	if err != nil {
		b.Fatal(err)
	}
	if err := made.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("process", decide(made))
	_ = made.Stop(b.Context())
}

// BenchmarkLaunch is from nothing to a plugin that has started.
func BenchmarkLaunch(b *testing.B) {
	for b.Loop() {
		made, err := Discovery(benchSpec(b, plugin.Discovery, "good"), Options{}).New(plugintest.Env(b, "self@h"), &plugin.Section{})
		if err != nil {
			b.Fatal(err)
		}
		if err := made.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = made.Stop(b.Context())
		b.StartTimer()
	}
}
