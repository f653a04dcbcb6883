package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/plugins"
)

// What a plugin costs by each road: built in, with both halves of the wire in this
// process, and in a process of its own.
//
//	go test -run '^$' -bench '^Benchmark(Membership|Registry|Transport)$' ./cmd/barrel

// hermit is what a node without links lends to its plugins.
type hermit struct{}

func (hermit) Self() []name.Address { return nil }

func (hermit) Connect(context.Context, name.Node, []name.Address) error {
	return transport.ErrUnreachable
}
func (hermit) Send(name.Node, []byte) error                      { return membership.ErrNoLink }
func (hermit) Hold(name.Node, bool)                              {}
func (hermit) Broadcast([]byte) error                            { return nil }
func (hermit) Flush(context.Context) error                       { return nil }
func (hermit) Disconnect(name.Node, transport.CloseCode, string) {}
func (hermit) Neighbours() []name.Node                           { return nil }
func (hermit) Key(name.Node) (key trust.Key, known bool)         { return key, false }
func (hermit) RTT(name.Node) time.Duration                       { return 0 }
func (hermit) Public() (key trust.Key)                           { return key }
func (hermit) Sign([]byte) (signature [64]byte)                  { return signature }

func quietEnv(b *testing.B) plugin.Env {
	b.Helper()
	env := plugintest.Env(b, "self@10.0.0.1")
	env.Log, env.Incarnation = slog.New(slog.DiscardHandler), 1
	return env
}

func running[P plugin.Part](b *testing.B, p P) P {
	b.Helper()
	must(b, p.Start(b.Context()))
	b.Cleanup(func() { must(b, p.Stop(context.WithoutCancel(b.Context()))) })
	return p
}

// made is a plugin of a factory that must not fail.
func made[P plugin.Part, E any](b *testing.B, factory plugin.Factory[P, E], env E, config any) P {
	b.Helper()
	p, err := factory.New(env, config)
	must(b, err)
	return p
}

// BenchmarkMembership is the list of a node that is alone, and a join through a node that
// cannot be dialed, which the plugin asks its host to dial.
func BenchmarkMembership(b *testing.B) {
	section := shortTimers()
	factory, config := inTree(b, plugins.All().Membership, plugin.Membership, "full", section)
	env := membership.Env{
		Env: quietEnv(b), Network: hermit{}, Signer: hermit{}, Emit: func(membership.Event) {}, Vet: func(name.Node, trust.Key) error { return nil },
	}
	for _, road := range []struct {
		name string
		make func(*testing.B) membership.Plugin
	}{
		{"direct", func(b *testing.B) membership.Plugin { return made(b, factory, env, config) }},
		{"memory", func(b *testing.B) membership.Plugin {
			direct := func(_ plugintest.T, lent membership.Env) membership.Plugin { return made(b, factory, lent, config) }
			return plugintest.MembershipHarness{New: direct}.OverWire().New(b, env)
		}},
		{"process", func(b *testing.B) membership.Plugin {
			return made(b, external.Membership(served(b, plugin.Membership, "full"), external.Options{}), env, &section)
		}},
	} {
		p := running(b, road.make(b))
		b.Run(road.name+"/Members", func(b *testing.B) {
			for b.Loop() {
				if len(p.Members()) != 1 {
					b.Fatal(p.Members())
				}
			}
		})
		b.Run(road.name+"/Join", func(b *testing.B) {
			for b.Loop() {
				if p.Join(b.Context(), name.MustNode("nobody@10.0.0.2")) == nil {
					b.Fatal("joined through nobody")
				}
			}
		})
	}
}

// BenchmarkRegistry is a service that is looked up, and one that is registered and taken
// back.
func BenchmarkRegistry(b *testing.B) {
	section := plugin.Section{}
	factory, config := inTree(b, plugins.All().Registry, plugin.Registry, "memory", section)
	env := registry.Env{Env: quietEnv(b), Network: hermit{}, Signer: hermit{}, Emit: func(registry.Event) {}}
	for _, road := range []struct {
		name string
		make func(*testing.B) registry.Plugin
	}{
		{"direct", func(b *testing.B) registry.Plugin { return made(b, factory, env, config) }},
		{"memory", func(b *testing.B) registry.Plugin {
			direct := func(_ plugintest.T, lent registry.Env) registry.Plugin { return made(b, factory, lent, config) }
			return plugintest.RegistryHarness{New: direct}.OverWire().New(b, env)
		}},
		{"process", func(b *testing.B) registry.Plugin {
			return made(b, external.Registry(served(b, plugin.Registry, "memory"), external.Options{}), env, &section)
		}},
	} {
		p := running(b, road.make(b))
		entry := registry.Entry{Service: name.MustService("there"), Ref: name.Ref{Node: env.Node, Incarnation: env.Incarnation, ID: 1}}
		must(b, p.Put(b.Context(), entry))
		b.Run(road.name+"/Lookup", func(b *testing.B) {
			for b.Loop() {
				if len(p.Lookup(entry.Service)) != 1 {
					b.Fatal("it is not found")
				}
			}
		})
		b.Run(road.name+"/PutRemove", func(b *testing.B) {
			other := entry
			other.Service = name.MustService("for-a-moment")
			for b.Loop() {
				must(b, p.Put(b.Context(), other))
				must(b, p.Remove(b.Context(), other.Service, other.Ref, ""))
			}
		})
	}
}

func transportOverWire(t plugintest.T, node string) transport.Plugin {
	t.Helper()
	return plugintest.TransportHarness{New: transportBuiltIn}.OverWire().New(t, node)
}
