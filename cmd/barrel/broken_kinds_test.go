package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
)

// A broken membership, registry or transport is a built-in plugin with something wrong
// around it: none of them is written in a few lines.

// around makes a factory of a built-in plugin with these settings; spoil puts what is
// wrong around it.
func around[P plugin.Part, E any](list []plugin.Factory[P, E], kind plugin.Kind, sound string, section plugin.Section, spoil func(P, E) P) plugin.Factory[P, E] {
	return plugin.Define("broken", "breaks one promise", plugin.NoDefaults, func(env E, _ *plugin.NoSettings) (P, error) {
		var none P
		factory, err := catalog.Find(list, kind, sound)
		if err != nil {
			return none, err
		}
		decoded := factory.Settings()
		if problems := settings.Decode(section, decoded); len(problems) > 0 {
			return none, fmt.Errorf("settings: %v", problems)
		}
		p, err := factory.New(env, decoded)
		if err != nil {
			return none, err
		}
		return spoil(p, env), nil
	})
}

// shortTimers are those of a full mesh.
func shortTimers() plugin.Section {
	return plugin.Section{"retry": "20ms", "retry_max": "100ms", "suspect_timeout": "200ms", "dial_timeout": "1s", "join_timeout": "5s", "sync_period": "200ms"}
}

func brokenMembership(flaw string) membership.Factory {
	return around(plugins.All().Membership, plugin.Membership, "full", shortTimers(), func(p membership.Plugin, env membership.Env) membership.Plugin {
		return &brokenMember{Plugin: p, flaw: flaw, self: env.Node}
	})
}

type brokenMember struct {
	membership.Plugin
	flaw string
	self name.Node
}

func (m *brokenMember) Join(ctx context.Context, through name.Node) error {
	err := m.Plugin.Join(ctx, through)
	if m.flaw == "joins through itself" && through == m.self {
		return nil
	}
	return err
}

func (m *brokenMember) Leave(ctx context.Context) error {
	if m.flaw == "says no good-bye" {
		return nil
	}
	return m.Plugin.Leave(ctx)
}

func brokenRegistry(flaw string) registry.Factory {
	return around(plugins.All().Registry, plugin.Registry, "memory", plugin.Section{}, func(p registry.Plugin, _ registry.Env) registry.Plugin {
		return &brokenLedger{Plugin: p, flaw: flaw}
	})
}

type brokenLedger struct {
	registry.Plugin
	flaw string
}

func (l *brokenLedger) Put(ctx context.Context, entry registry.Entry) error {
	err := l.Plugin.Put(ctx, entry)
	if l.flaw == "does not say whose it is" && errors.Is(err, registry.ErrNotOwner) {
		return errors.New("no")
	}
	return err
}

func (l *brokenLedger) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	if l.flaw == "never removes" {
		return nil
	}
	return l.Plugin.Remove(ctx, service, ref, reason)
}

func brokenTransport(flaw string) transport.Factory {
	section := plugin.Section{"listen": "127.0.0.1:0"}
	return around(plugins.All().Transport, plugin.Transport, "quic", section, func(p transport.Plugin, _ plugin.Env) transport.Plugin {
		return &brokenNetwork{Plugin: p, flaw: flaw}
	})
}

type brokenNetwork struct {
	transport.Plugin
	flaw string
}

func (n *brokenNetwork) Addresses() []name.Address {
	if n.flaw == "says nothing of where it is" {
		return nil
	}
	return n.Plugin.Addresses()
}

func (n *brokenNetwork) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	conn, err := n.Plugin.Dial(ctx, addr)
	if n.flaw == "does not say why" && errors.Is(err, transport.ErrUnreachable) {
		return nil, errors.New("no")
	}
	return conn, err
}
