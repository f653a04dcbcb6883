package core

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/core/block/resolve"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// roster is the last backend of the discovery chain: where members say that they can be
// dialed. It knows who was learned of by gossip and stands in no file.
type roster struct{ life *life }

// rosterName is how the chain calls it.
const rosterName = "members"

// rosterTTL is short: what a member says may change at any time.
const rosterTTL = time.Second

// Start and Stop do nothing: it has no life of its own.
func (roster) Start(context.Context) error { return nil }

// Stop is part of plugin.Part.
func (roster) Stop(context.Context) error { return nil }

// Lookup answers from memory.
func (r roster) Lookup(_ context.Context, node name.Node) (discovery.Answer, error) {
	m, found := r.life.member(node)
	if !found || len(m.Endpoints) == 0 || m.State == membership.Left {
		return discovery.Answer{}, discovery.ErrNotFound
	}
	return discovery.Answer{Endpoints: m.Endpoints, TTL: rosterTTL, AsOf: m.Since}, nil
}

func (l *life) rosterBackend() resolve.Backend {
	return resolve.Backend{Name: rosterName, Plugin: roster{l}}
}

// member looks a node up among the members.
func (l *life) member(node name.Node) (membership.Member, bool) {
	for _, m := range l.membership.Members() {
		if m.Node == node {
			return m, true
		}
	}
	return membership.Member{}, false
}

// known is where a member says that it can be dialed.
func (l *life) known(node name.Node) []name.Address {
	if m, found := l.member(node); found && m.State != membership.Left {
		return m.Endpoints
	}
	return nil
}
