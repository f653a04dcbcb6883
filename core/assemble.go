package core

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/block/bootstrap"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// The names of the parts that are not plugins.
const (
	partLink      = "link"
	partResolve   = "resolve"
	partAnnounce  = "announce"
	partBroadcast = "broadcast"
	partProcess   = "process"
	partService   = "service"
	partStream    = "stream"
	partBootstrap = "bootstrap"
	partAdmin     = "admin"
)

// assemble makes every part of one life, hands each what it needs and computes their
// order. It allocates and does nothing else.
func (n *Node) assemble(me *self) (*life, error) {
	l, err := n.makeParts(me)
	if err != nil {
		return nil, err
	}
	return l, l.kernel.Assemble(l.units...)
}

func (n *Node) makeParts(me *self) (*life, error) {
	l := newLife(n, me)
	for _, step := range []func() error{
		l.addTransport, l.addDiscovery, l.addTrust, l.addRegistry, l.addMembership,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	l.addBlocks()
	return l, nil
}

// env is what the part of a name is lent.
func (l *life) env(part string) plugin.Env {
	return plugin.Env{
		Node: l.name, Cluster: l.node.cfg.Node.Cluster, Incarnation: l.self.incarnation,
		DataDir: l.node.dataDir, Log: limited(l.log.With("part", part)), Tasks: l.kernel.Tasks(part),
	}
}

// add notes a part and what it needs; it returns its name.
func (l *life) add(part string, p plugin.Part, needs ...string) string {
	l.units = append(l.units, kernel.Unit{Name: part, Needs: needs, Part: p})
	return part
}

// build makes the plugin of a slot with room for one: what the embedder gave, or what
// the configuration names.
func build[P plugin.Part, E any](l *life, kind plugin.Kind, list []plugin.Factory[P, E], given *component[P, E], env func(plugin.Env) E) (part string, p P, err error) {
	if given != nil {
		part = id(kind, given.name)
		p, err = given.build(env(l.env(part)))
		return part, p, wrap(part, err)
	}
	use := l.node.cfg.Use(kind)
	if len(use) != 1 {
		return "", p, fmt.Errorf("%s: %d plugins named, want one: set %s.use", kind, len(use), kind)
	}
	return buildNamed(l, kind, use[0], list, env)
}

func buildNamed[P plugin.Part, E any](l *life, kind plugin.Kind, use string, list []plugin.Factory[P, E], env func(plugin.Env) E) (part string, p P, err error) {
	factory, err := catalog.Find(list, kind, use)
	if err != nil {
		return "", p, err
	}
	settings := l.node.cfg.Settings(kind, use)
	if settings == nil {
		settings = factory.Settings()
	}
	part = id(kind, use)
	p, err = factory.New(env(l.env(part)), settings)
	if err == nil {
		l.listen(part, kind, p)
	}
	return part, p, wrap(part, err)
}

func id(kind plugin.Kind, plugin string) string { return string(kind) + "/" + plugin }

func wrap(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}

// same is the env function of kinds that lend no more than every kind does.
func same(e plugin.Env) plugin.Env { return e }

func (l *life) addTransport() (err error) {
	l.parts.transport, l.transport, err = build(l, plugin.Transport, l.node.catalog.Transport, l.node.opts.transport, same)
	l.add(l.parts.transport, l.transport)
	return err
}

func (l *life) addDiscovery() error {
	for _, given := range l.node.opts.discovery {
		part := id(plugin.Discovery, given.name)
		p, err := given.build(l.env(part))
		if err != nil {
			return wrap(part, err)
		}
		l.addBackend(part, given.name, p)
	}
	for _, use := range l.node.cfg.Use(plugin.Discovery) {
		part, p, err := buildNamed(l, plugin.Discovery, use, l.node.catalog.Discovery, same)
		if err != nil {
			return err
		}
		l.addBackend(part, use, p)
	}
	return nil
}

func (l *life) addTrust() (err error) {
	part, p, err := build(l, plugin.Trust, l.node.catalog.Trust, l.node.opts.trust, l.trustEnv)
	if err != nil {
		return err
	}
	_, mode := splitID(part)
	l.trust = &trustSlot{mode: mode, current: p}
	l.parts.trust = l.add("trust", l.trust)
	return nil
}

func (l *life) trustEnv(e plugin.Env) trust.Env {
	return trust.Env{Env: e, Pins: tellingPins{l.self.lentPins(), l}}
}

func (l *life) membershipEnv(e plugin.Env) membership.Env {
	return membership.Env{
		Env: e, Network: memberNetwork{l}, Emit: l.onMember,
		Signer: purposed{l.self, trust.ForMembership}, Vet: l.vet,
	}
}

func (l *life) addMembership() (err error) {
	l.parts.membership, l.membership, err = build(l, plugin.Membership, l.node.catalog.Membership, l.node.opts.membership, l.membershipEnv)
	l.add(l.parts.membership, l.membership, partLink, partBroadcast, l.parts.registry)
	return err
}

// addBlocks makes the blocks on top of the slots.
func (l *life) addBlocks() {
	l.addResolver()
	l.links = link.New(l.linkConfig())
	l.holds = newHolds(l.links)
	l.distances.links = l.links.List
	l.links.HandleFrames(link.Membership, l.onFrame)
	l.links.HandleStreams(link.Messages, link.Pooled, l.onMessages)
	l.links.HandleStreams(link.Broadcast, link.Pooled, l.onBroadcasts)
	l.add(partLink, l.links, l.parts.transport, l.parts.trust, partResolve)
	l.addBroadcast()
	l.joinRegistry()
	l.processes = process.New(process.Config{
		Node: l.name, Incarnation: l.self.incarnation, Network: messageNetwork{l}, Types: l.node.types,
		MaxPayload: l.node.cfg.Messages.MaxPayload, DeadLetter: l.onDeadLetter,
		Tasks: l.kernel.Tasks(partProcess), Log: limited(l.log.With("part", partProcess)),
	})
	l.add(partProcess, l.processes, partLink, l.parts.registry)
	l.addServices()
	l.addStreams()
	l.bootstrap = bootstrap.New(bootstrap.Config{
		Self: l.name, Contacts: l.node.cfg.Bootstrap.ContactNodes, Retry: l.node.cfg.Bootstrap.Retry,
		Alone: l.alone, Stranger: l.stranger, Found: l.found, Join: l.enter,
		Tasks: l.kernel.Tasks(partBootstrap), Log: l.log.With("part", partBootstrap),
	})
	l.add(partBootstrap, l.bootstrap, l.parts.membership)
	l.addAdmin()
}

func (l *life) linkConfig() link.Config {
	auth := l.node.cfg.Auth
	return link.Config{
		Node: l.name, Cluster: l.node.cfg.Node.Cluster, Incarnation: l.self.incarnation, Signer: l.self.signer,
		Hidden: l.node.cfg.Node.Hidden, Auth: auth.Enabled, Cookie: l.self.cookie, CookieOnly: l.cookieOnly,
		HandshakeTimeout: auth.HandshakeTimeout, ClockSkew: auth.ClockSkew,
		IdleAfter: l.node.cfg.Links.IdleAfter, Sweep: l.node.cfg.Links.Sweep,
		Transport: l.transport, Trust: l.trust, Resolver: l.resolver, Known: l.known, Observer: newObserver(l),
		Tasks: l.kernel.Tasks(partLink), Log: limited(l.log.With("part", partLink)),
	}
}

// cookieOnly says whether the cookie alone lets a node in. A node with a pin always
// has to prove its key: else whoever has the cookie could be that node.
func (l *life) cookieOnly(node name.Node) bool {
	for _, pattern := range l.node.cfg.Auth.CookieOnly {
		if pattern.Match(node) {
			_, pinned, err := l.self.lentPins().Lookup(node)
			return !pinned && err == nil
		}
	}
	return false
}
