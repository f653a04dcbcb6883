package core

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core/block/broadcast"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func (l *life) addRegistry() (err error) {
	l.parts.registry, l.registry, err = build(l, plugin.Registry, l.node.catalog.Registry, l.node.opts.registry, l.registryEnv)
	l.add(l.parts.registry, l.registry, partLink, partBroadcast)
	return err
}

func (l *life) registryEnv(e plugin.Env) registry.Env {
	return registry.Env{Env: e, Network: registryNetwork{l}, Signer: purposed{l.self, trust.ForRegistry}, Emit: l.onService, Policy: l.node.opts.policy}
}

// joinRegistry connects the registry with links and broadcasts, once there are any.
func (l *life) joinRegistry() {
	l.links.HandleFrames(link.Registry, func(p link.Peer, data []byte) {
		if isMember(p) {
			l.registry.Input(registry.Input{Kind: registry.Frame, Node: p.Node, Data: data})
		}
	})
	l.broadcast.Handle(broadcast.Registry, func(from name.Node, data []byte) {
		l.registry.Input(registry.Input{Kind: registry.Broadcast, Node: from, Data: data})
	})
}

// tellRegistry passes on what membership found out, of neighbours and of members.
func (l *life) tellRegistry(e membership.Event) {
	in := registry.Input{Kind: registry.Member, Node: e.Node, Event: e}
	switch e.Type {
	case membership.PeerUp:
		in = registry.Input{Kind: registry.PeerUp, Node: e.Node}
	case membership.PeerDown:
		in = registry.Input{Kind: registry.PeerDown, Node: e.Node}
	case membership.MemberUp:
		l.memberKeys.stale.Store(true)
	}
	l.registry.Input(in)
}

// registryNetwork is what the registry is lent.
type registryNetwork struct{ life *life }

func (r registryNetwork) Broadcast(data []byte) error {
	return r.life.broadcast.Send(broadcast.Registry, data)
}

func (r registryNetwork) Send(node name.Node, frame []byte) error {
	return r.life.links.Send(node, link.Registry, frame)
}

func (r registryNetwork) Neighbours() []name.Node { return r.life.membership.View().Active }

func (r registryNetwork) Key(node name.Node) (trust.Key, bool) {
	switch {
	case !r.life.node.cfg.Auth.Enabled:
		return trust.Key{}, true
	case node == r.life.name:
		return r.life.self.keys.Public(), true
	}
	return r.life.memberKeys.of(node, r.life.membership.Members)
}

func (r registryNetwork) RTT(node name.Node) time.Duration { return r.life.distances.now()[node] }

// keyTable is the keys of the members, so that not every question walks all of them.
type keyTable struct {
	stale atomic.Bool // there is a member since the table was made
	mu    sync.Mutex
	keys  map[name.Node]trust.Key
}

func (t *keyTable) of(node name.Node, members func() []membership.Member) (trust.Key, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if key, known := t.keys[node]; known && !t.stale.Load() {
		return key, true
	}
	if t.stale.Swap(false) || t.keys == nil {
		t.keys = map[name.Node]trust.Key{}
		for _, m := range members() {
			if !m.Key.IsZero() {
				t.keys[m.Node] = m.Key
			}
		}
	}
	key, known := t.keys[node]
	return key, known
}

// distances is how far the linked nodes are, as measured at most a second ago.
type distances struct {
	links func() []link.Info
	table atomic.Pointer[distanceTable]
}

type distanceTable struct {
	made time.Time
	rtt  map[name.Node]time.Duration
}

// now is the table; the caller must not change it. It is the same value while nothing
// has changed.
func (d *distances) now() map[name.Node]time.Duration {
	old := d.table.Load()
	if old != nil && time.Since(old.made) < time.Second {
		return old.rtt
	}
	next := &distanceTable{made: time.Now(), rtt: map[name.Node]time.Duration{}}
	for _, info := range d.links() {
		next.rtt[info.Peer.Node] = info.Conn.RTT
	}
	if old != nil && maps.Equal(old.rtt, next.rtt) {
		next.rtt = old.rtt
	}
	d.table.CompareAndSwap(old, next)
	return next.rtt
}
