package core

import (
	"context"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/resolve"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// addBackend adds a link to the discovery chain.
func (l *life) addBackend(part, name string, p discovery.Plugin) {
	l.parts.discovery = append(l.parts.discovery, l.add(part, p))
	l.backends = append(l.backends, resolve.Backend{Name: name, Plugin: p})
}

// addResolver makes the chain.
func (l *life) addResolver() {
	l.resolver = resolve.New(resolve.Config{
		Backends: append(slices.Clone(l.backends), l.rosterBackend()), Tasks: l.kernel.Tasks(partResolve), Log: l.log.With("part", partResolve),
		// Below the pause between attempts, so that each attempt asks anew.
		NegativeTTL: min(time.Second, l.node.cfg.Bootstrap.Retry/2),
	})
	l.add(partResolve, l.resolver, l.parts.discovery...)
	l.add(partAnnounce, &announcer{life: l, tasks: l.kernel.Tasks(partAnnounce)}, partResolve, partLink)
}

// addAdmin makes the control socket: the last part to start, the first to stop.
func (l *life) addAdmin() {
	if l.node.opts.noSocket {
		return
	}
	server := admin.NewServer(l.node.cfg.Socket(), control{l}, l.log.With("part", partAdmin))
	needs := make([]string, 0, len(l.units))
	for _, u := range l.units {
		needs = append(needs, u.Name)
	}
	l.add(partAdmin, server, needs...)
}

// announcer tells discovery where this node is, again whenever that changes.
type announcer struct {
	life  *life
	tasks *plugin.Tasks
}

// announceCheck is how often the addresses are looked at.
const announceCheck = 5 * time.Second

// Start publishes the node. That a backend cannot publish stops nothing: the resolver
// tries again and says so.
func (a *announcer) Start(ctx context.Context) error {
	a.life.announce(ctx)
	a.tasks.Go("addresses", a.watch)
	return nil
}

// Stop ends the watching. A node that did not leave, because a part after this one did
// not start, is not there all the same.
func (a *announcer) Stop(ctx context.Context) error {
	err := a.tasks.Stop(ctx)
	if !a.life.left.Load() {
		a.life.withdraw(ctx)
	}
	return err
}

func (a *announcer) watch(ctx context.Context) {
	ticker := time.NewTicker(announceCheck)
	defer ticker.Stop()
	last := a.life.transport.Addresses()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if now := a.life.transport.Addresses(); !slices.Equal(now, last) && !a.life.left.Load() {
			last = now
			a.life.announce(ctx)
		}
	}
}

func (l *life) announce(ctx context.Context) {
	record := discovery.Record{
		Node: l.name, Endpoints: publishable(l.transport.Addresses()),
		Incarnation: l.self.incarnation, Written: time.Now().UTC(),
	}
	if err := l.resolver.Publish(ctx, record); err != nil {
		l.log.Warn("not published everywhere", "error", err)
	}
}

// withdraw takes back what announce published.
func (l *life) withdraw(ctx context.Context) {
	if err := l.resolver.Withdraw(ctx, l.name); err != nil {
		l.log.Warn("not withdrawn everywhere", "error", err)
	}
}

// maxPublished bounds how many endpoints a node publishes.
const maxPublished = 8

func publishable(addresses []name.Address) []name.Address {
	return addresses[:min(len(addresses), maxPublished)]
}
