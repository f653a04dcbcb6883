package core

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Status is the one page about the node.
func (c control) Status() admin.Status {
	health := c.health()
	addresses := c.transport.Addresses()
	s := admin.Status{
		Node: c.name, Cluster: c.node.cfg.Node.Cluster, Version: c.node.opts.version,
		Fingerprint: c.self.keys.Fingerprint(), Incarnation: c.self.incarnation,
		Started: c.started, Ready: c.ready.Load(), Slots: c.slots(health),
		Members: countMembers(c.membership.Members()), View: c.View(), Links: len(c.links.List()),
		Isolated: c.isolated.Load(), Partitioned: c.partitioned.Load(), Warnings: c.warnings(health),
	}
	if len(addresses) > 0 {
		s.Address = addresses[0]
	}
	for _, service := range c.registry.List("") {
		s.Services += service.Instances
	}
	return s
}

func (l *life) health() map[string]kernel.PartHealth {
	out := map[string]kernel.PartHealth{}
	for _, h := range l.kernel.Health() {
		out[h.Name] = h
	}
	return out
}

func (l *life) slots(health map[string]kernel.PartHealth) admin.Slots {
	slot := func(part, name string) admin.Slot {
		h, hosted := health[part], l.hosted(part)
		s := admin.Slot{Plugin: name, External: hosted != nil, Health: string(h.State), Detail: h.Detail}
		if hosted != nil {
			s.Sandbox = hosted.Process().Sandbox
		}
		return s
	}
	plain := func(part string) admin.Slot {
		_, name := splitID(part)
		return slot(part, name)
	}
	s := admin.Slots{
		Transport: plain(l.parts.transport), Trust: slot(l.parts.trust, l.trust.Mode()),
		Membership: plain(l.parts.membership), Registry: plain(l.parts.registry),
		Discovery: []admin.Slot{},
	}
	for _, part := range l.parts.discovery {
		s.Discovery = append(s.Discovery, plain(part))
	}
	return s
}

// warnings are what an operator should know although the node works.
func (l *life) warnings(health map[string]kernel.PartHealth) []string {
	out := l.standing()
	for _, part := range l.kernel.Order() {
		h := health[part]
		if h.State != plugin.Healthy {
			out = append(out, fmt.Sprintf("%s: %s: %s%s", part, h.State, h.Detail, l.absence(part)))
		}
		if h.Restarts > 0 {
			out = append(out, fmt.Sprintf("%s: restarted %s after a panic", part, times(h.Restarts)))
		}
	}
	if l.alone() {
		for _, contact := range l.bootstrap.Contacts() {
			if contact.Err != nil {
				out = append(out, fmt.Sprintf("contact %s: %v", contact.Node, contact.Err))
			}
		}
	}
	if l.left.Load() {
		out = append(out, "the node has left the cluster and stays out; `barrel join NODE` brings it back")
	}
	return out
}

// standing are the warnings that hold for a whole life.
func (l *life) standing() []string {
	out := []string{}
	if !l.node.cfg.Auth.Enabled {
		out = append(out, "auth is disabled: nobody proves a key, only the cookie (if set) keeps strangers out")
	}
	loose, err := identity.Warnings(l.node.dataDir)
	if err != nil {
		return append(out, err.Error())
	}
	for _, w := range loose {
		out = append(out, w.String())
	}
	return out
}

func (l *life) warnAtStart() {
	for _, text := range l.standing() {
		l.log.Warn("standing warning", "warning", text)
	}
}

// Plugins lists the catalog: what this node uses, and what it could.
func (c control) Plugins() []admin.Plugin {
	health := c.health()
	var out []admin.Plugin
	for _, e := range c.catalogNow().Entries() {
		p := admin.Plugin{
			Kind: string(e.Kind), Name: e.Name, Version: c.node.opts.version,
			Contract: e.Contract, Health: unused,
		}
		part := e.ID()
		if e.Kind == plugin.Trust && e.Name == c.trust.Mode() {
			part = c.parts.trust
		}
		if h, used := health[part]; used {
			p.Health, p.Restarts = string(h.State), h.Restarts
		}
		c.describeProcess(&p, part)
		out = append(out, p)
	}
	return notNil(out)
}
