package plugintest

import (
	"context"
	"os"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// able is the part as a T if it has that ability. A facade has every method, so it is
// asked besides.
func able[T any](part plugin.Part, ability string) (T, bool) {
	t, ok := part.(T)
	if facade, stands := part.(plugin.Facade); ok && stands {
		ok = facade.Can(ability)
	}
	return t, ok
}

// OverWire is the harness with both halves of the wire between the checks and the
// backend, in this process.
func (h DiscoveryHarness) OverWire() DiscoveryHarness {
	over := h
	over.New = func(t T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
		t.Helper()
		backend := h.New(t, env, known)
		conn := inMemory(t, func(s grpc.ServiceRegistrar) {
			wire.Serve(s, wire.Fixed(plugin.Discovery, discovery.Contract, backend))
			wire.ServeDiscovery(s, wire.Hold(backend))
		})
		half := wire.NewDiscovery(conn)
		expectDescribed(t, half.Plugin)
		return half
	}
	return over
}

// OverWire is the harness with the wire between, for the plugin and for its pins.
func (h TrustHarness) OverWire() TrustHarness {
	over := h
	over.New = func(t T, env trust.Env) trust.Plugin {
		t.Helper()
		pins, lent := env.Pins, wire.NewLentPins()
		env.Pins = lent
		decider := h.New(t, env)
		conn := inMemory(t, func(s grpc.ServiceRegistrar) {
			wire.Serve(s, wire.Fixed(plugin.Trust, trust.Contract, decider))
			wire.ServeTrust(s, wire.Hold(decider), lent)
		})
		half := wire.NewTrust(conn, pins)
		expectDescribed(t, half.Plugin)
		return half
	}
	return over
}

// OverWire is the harness with the wire between, for the registry and for what it is
// lent.
func (h RegistryHarness) OverWire() RegistryHarness {
	over := h
	over.New = func(t T, env registry.Env) registry.Plugin {
		t.Helper()
		lent := wire.NewLentRegistry()
		behind := h.New(t, lent.Env(env.Env))
		conn := inMemory(t, func(s grpc.ServiceRegistrar) {
			wire.Serve(s, wire.Fixed(plugin.Registry, registry.Contract, behind))
			wire.ServeRegistry(s, wire.Hold(behind), lent)
		})
		half := wire.NewRegistry(conn, env, wire.NewShown(env))
		expectDescribed(t, half.Plugin)
		return half
	}
	return over
}

// OverWire is the harness with the wire between: calls over gRPC in memory, bytes over
// sockets in a folder.
func (h TransportHarness) OverWire() TransportHarness {
	over := h
	over.New = func(t T, node string) transport.Plugin {
		t.Helper()
		carrier, dir := h.New(t, node), shortDir(t)
		bridge := wire.NewBridge(dir)
		t.Cleanup(bridge.Close)
		conn := inMemory(t, func(s grpc.ServiceRegistrar) {
			wire.Serve(s, wire.Fixed(plugin.Transport, transport.Contract, carrier))
			wire.ServeTransport(s, wire.Hold(carrier), bridge)
		})
		half := wire.NewTransport(conn, dir)
		expectDescribed(t, half.Plugin)
		return half
	}
	return over
}

// OverWire is the harness with the wire between, for the membership and for what it is
// lent.
func (h MembershipHarness) OverWire() MembershipHarness {
	over := h
	over.New = func(t T, env membership.Env) membership.Plugin {
		t.Helper()
		lent := wire.NewLentMembership()
		behind := h.New(t, lent.Env(env.Env))
		conn := inMemory(t, func(s grpc.ServiceRegistrar) {
			wire.Serve(s, wire.Fixed(plugin.Membership, membership.Contract, behind))
			wire.ServeMembership(s, wire.Hold(behind), lent)
		})
		half := wire.NewMembership(conn, env, wire.NewRoll(env.Node, env.Emit))
		expectDescribed(t, half.Plugin)
		return half
	}
	return over
}

// shortDir is a folder whose name leaves room for that of a socket, which that of a
// test may not.
func shortDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "barrel")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func inMemory(t T, register func(grpc.ServiceRegistrar)) grpc.ClientConnInterface {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	conn, end, err := wire.InMemory(ctx, register)
	if err != nil {
		t.Fatalf("wire: %v", err)
	}
	t.Cleanup(end)
	return conn
}

func expectDescribed(t T, p *wire.Plugin) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if _, err := p.Describe(ctx, "", nil); err != nil {
		t.Fatalf("describe: %v", err)
	}
}
