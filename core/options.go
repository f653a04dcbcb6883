package core

import (
	"log/slog"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/observe"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Option changes how a node is made.
type Option func(*options)

// component is a plugin that an embedder hands in instead of naming it.
type component[P plugin.Part, E any] struct {
	name  string
	build func(E) (P, error)
}

type options struct {
	log     *slog.Logger
	version string
	reread  func() (*config.Config, error)

	catalogOf func(*config.Config) (catalog.Catalog, error)
	meters    observe.Provider

	noSocket bool
	policy   func(service name.Service, owner name.Node) error

	transport  *component[transport.Plugin, transport.Env]
	discovery  []component[discovery.Plugin, discovery.Env]
	trust      *component[trust.Plugin, trust.Env]
	membership *component[membership.Plugin, membership.Env]
	registry   *component[registry.Plugin, registry.Env]
}

// WithLogger sets where the node logs; without it, nowhere.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithVersion sets the version that status tells.
func WithVersion(version string) Option { return func(o *options) { o.version = version } }

// WithoutSocket makes a node without a control socket, for a program that looks after
// its nodes through this API alone. The command line cannot talk to such a node.
func WithoutSocket() Option { return func(o *options) { o.noSocket = true } }

// WithReload sets how the configuration is read again when the node is told to reload.
func WithReload(reread func() (*config.Config, error)) Option {
	return func(o *options) { o.reread = reread }
}

// WithTransport fills the transport slot with a component of the embedder's own instead
// of what the configuration names. build is called with what the slot lends each time
// the node is made or started; like a plugin's New it may allocate and nothing else.
func WithTransport(name string, build func(transport.Env) (transport.Plugin, error)) Option {
	return func(o *options) { o.transport = &component[transport.Plugin, transport.Env]{name, build} }
}

// WithDiscovery puts a backend of the embedder's own in front of the chain. Several
// are asked in the order given. See WithTransport for build.
func WithDiscovery(name string, build func(discovery.Env) (discovery.Plugin, error)) Option {
	return func(o *options) {
		o.discovery = append(o.discovery, component[discovery.Plugin, discovery.Env]{name, build})
	}
}

// WithTrust is WithTransport for the trust slot.
func WithTrust(name string, build func(trust.Env) (trust.Plugin, error)) Option {
	return func(o *options) { o.trust = &component[trust.Plugin, trust.Env]{name, build} }
}

// WithMembership is WithTransport for the membership slot.
func WithMembership(name string, build func(membership.Env) (membership.Plugin, error)) Option {
	return func(o *options) { o.membership = &component[membership.Plugin, membership.Env]{name, build} }
}

// WithRegistry is WithTransport for the registry slot.
func WithRegistry(name string, build func(registry.Env) (registry.Plugin, error)) Option {
	return func(o *options) { o.registry = &component[registry.Plugin, registry.Env]{name, build} }
}

// Value makes a build function of a component that needs nothing lent:
//
//	core.WithDiscovery("mine", core.Value[discovery.Env](discovery.Plugin(backend)))
func Value[E any, P plugin.Part](part P) func(E) (P, error) {
	return func(E) (P, error) { return part, nil }
}
