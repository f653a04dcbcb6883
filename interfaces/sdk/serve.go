package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Option changes how a plugin is served.
type Option func(*served)

// Version is the version of the plugin, for `barrel plugin list`. Without it the
// version of the main module is taken, as far as Go has noted one.
func Version(version string) Option { return func(s *served) { s.guest.Description.Version = version } }

// Serve serves the plugins of one factory until the host ends it, and exits. It never
// returns. Started by a person it says what it is and exits with status 1.
func Serve[P plugin.Part, E any](factory plugin.Factory[P, E], options ...Option) {
	s, err := newServed(any(factory))
	if err != nil {
		stop(err.Error())
	}
	for _, option := range options {
		option(s)
	}
	if os.Getenv(CookieName) != CookieValue {
		stop(s.instructions())
	}
	if err := holdLifeline(os.Getenv(LifelineVariable)); err != nil {
		stop(err.Error())
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: map[int]goplugin.PluginSet{Protocol: {Served: s}},
		Logger:           hclog.NewNullLogger(),
		GRPCServer:       newServer,
	})
	os.Exit(0)
}

func stop(text string) {
	_, _ = fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}

// served is what the process serves.
type served struct {
	goplugin.NetRPCUnsupportedPlugin

	guest    wire.Guest
	register func(grpc.ServiceRegistrar)
	log      *slog.Logger
}

var _ goplugin.GRPCPlugin = (*served)(nil)

// GRPCServer registers both services.
func (s *served) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	wire.Serve(server, s.guest)
	s.register(server)
	return nil
}

// GRPCClient is for hosts.
func (s *served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, plugin.ErrUnsupported
}

// newServed finds the kind of a factory.
func newServed(factory any) (*served, error) {
	s := &served{log: newLogger(os.Stderr)}
	switch f := factory.(type) {
	case discovery.Factory:
		holder := &wire.Holder[discovery.Plugin]{}
		s.register = func(r grpc.ServiceRegistrar) { wire.ServeDiscovery(r, holder) }
		describe(s, plugin.Discovery, discovery.Contract, f, holder, func(env plugin.Env) plugin.Env { return env })
	case trust.Factory:
		holder, pins := &wire.Holder[trust.Plugin]{}, wire.NewLentPins()
		s.register = func(r grpc.ServiceRegistrar) { wire.ServeTrust(r, holder, pins) }
		describe(s, plugin.Trust, trust.Contract, f, holder, func(env plugin.Env) trust.Env {
			return trust.Env{Env: env, Pins: pins}
		})
	case registry.Factory:
		holder, lent := &wire.Holder[registry.Plugin]{}, wire.NewLentRegistry()
		s.register = func(r grpc.ServiceRegistrar) { wire.ServeRegistry(r, holder, lent) }
		describe(s, plugin.Registry, registry.Contract, f, holder, lent.Env)
	case membership.Factory:
		holder, lent := &wire.Holder[membership.Plugin]{}, wire.NewLentMembership()
		s.register = func(r grpc.ServiceRegistrar) { wire.ServeMembership(r, holder, lent) }
		describe(s, plugin.Membership, membership.Contract, f, holder, lent.Env)
	case transport.Factory:
		holder, bridge := &wire.Holder[transport.Plugin]{}, wire.NewBridge(os.Getenv(socketsVariable))
		s.register = func(r grpc.ServiceRegistrar) { wire.ServeTransport(r, holder, bridge) }
		describe(s, plugin.Transport, transport.Contract, f, holder, func(env plugin.Env) plugin.Env { return env })
	default:
		return nil, fmt.Errorf("a %T makes plugins of none of the five kinds", factory)
	}
	return s, nil
}

func describe[P plugin.Part, E any](s *served, kind plugin.Kind, contract string, f plugin.Factory[P, E], holder *wire.Holder[P], lend func(plugin.Env) E) {
	s.guest = wire.Guest{
		Description: wire.Description{
			Kind: kind, Name: f.Name(), Summary: f.Summary(), Version: builtVersion(),
			Contracts: []string{contract}, Abilities: abilities(f, lend),
		},
		Decode: func(section map[string]any) (any, []plugin.Problem) {
			into := f.Settings()
			return into, settings.Decode(section, into)
		},
		Make: func(env plugin.Env, decoded any) error {
			made, err := f.New(lend(s.lent(env)), decoded)
			if err == nil {
				holder.Put(made)
			}
			return err
		},
		Part: func() (plugin.Part, error) { return holder.Get() },
	}
}

// lent completes an environment with what comes from this process.
func (s *served) lent(env plugin.Env) plugin.Env {
	env.Log = s.log
	env.Tasks = plugin.NewTasks(func(p plugin.Panic) {
		s.log.Error("panicked", "task", p.Task, "panic", fmt.Sprint(p.Value), "stack", string(p.Stack))
		os.Exit(2)
	})
	return env
}

// abilities asks a plugin that is made for nothing else. A factory that cannot make one
// from its defaults says so again when it is configured.
func abilities[P plugin.Part, E any](f plugin.Factory[P, E], lend func(plugin.Env) E) []string {
	env := plugin.Env{Log: slog.New(slog.DiscardHandler), Tasks: plugin.NewTasks(func(plugin.Panic) {})}
	made, err := f.New(lend(env), f.Settings())
	if err != nil {
		return []string{}
	}
	return wire.AbilitiesOf(made)
}

func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// instructions is what a person reads who starts a plugin.
func (s *served) instructions() string {
	d := s.guest.Description
	command, err := os.Executable()
	if err != nil {
		command = "/path/of/the/plugin"
	}
	return fmt.Sprintf(`This is a plugin for Barrel: %s/%s, %s.
A node starts it when its configuration says so:

%s:
  use: [%s]
plugins:
  %s/%s:
    command: %s
    sha256: [...]     # barrel plugin pin %s

barrel plugin test %s --kind %s   tells whether it keeps its promises`,
		d.Kind, d.Name, d.Summary, d.Kind, d.Name, d.Kind, d.Name, command, command, command, d.Kind)
}
