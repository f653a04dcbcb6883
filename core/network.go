package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/block/broadcast"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// memberNetwork is what membership is lent: links, and frames on its channel.
type memberNetwork struct{ life *life }

func (m memberNetwork) Self() []name.Address { return m.life.transport.Addresses() }

// Connect makes a link. One to a peer that no member can be is no link for membership,
// which would wait in vain to hear of it.
func (m memberNetwork) Connect(ctx context.Context, node name.Node, known []name.Address) error {
	if err := m.life.links.Connect(ctx, node, known); err != nil {
		return err
	}
	if p, linked := m.life.links.Peer(node); linked && !isMember(p) {
		return fmt.Errorf("link to %s: %w: take the one out of auth.cookie_only of the other", node, errNoMember)
	}
	return nil
}

// errNoMember: the peer may send and call, and is not part of the cluster.
var errNoMember = errors.New("it is up by cookie alone, and a member has to prove its key")

func (m memberNetwork) Send(node name.Node, frame []byte) error {
	return m.life.links.Send(node, link.Membership, frame)
}

func (m memberNetwork) Hold(node name.Node, hold bool) { m.life.holds.neighbour(node, hold) }

// Disconnect closes a link that should not be, and only lets go one that membership does
// not need: there may be calls on it, and messages that wait.
func (m memberNetwork) Disconnect(node name.Node, code transport.CloseCode, reason string) {
	switch code {
	case transport.CloseDropped, transport.CloseIdle:
		m.life.holds.letGo(node)
	default:
		m.life.links.Disconnect(node, code, reason)
	}
}

// Broadcast reaches every member over neighbours.
func (m memberNetwork) Broadcast(data []byte) error {
	return m.life.broadcast.Send(broadcast.Membership, data)
}

func (m memberNetwork) Flush(ctx context.Context) error { return m.life.broadcast.Flush(ctx) }

// broadcastNetwork is what broadcasts are lent: streams on links that there are.
type broadcastNetwork struct{ life *life }

func (b broadcastNetwork) OpenBroadcast(ctx context.Context, node name.Node) (broadcast.Stream, error) {
	s, err := b.life.links.OpenOn(ctx, node, link.Broadcast, link.Pooled)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// addBroadcast makes the block that carries messages to everybody.
func (l *life) addBroadcast() {
	l.broadcast = broadcast.New(broadcast.Config{
		Origin: l.self.origin(l.name), Incarnation: l.self.incarnation, Network: broadcastNetwork{l},
		Tree: func(near []name.Node) {
			l.membership.Input(membership.Input{Kind: membership.Tree, Nodes: near})
		},
		Tasks: l.kernel.Tasks(partBroadcast), Log: limited(l.log.With("part", partBroadcast)),
	})
	l.broadcast.Handle(broadcast.Membership, func(from name.Node, data []byte) {
		l.membership.Input(membership.Input{Kind: membership.Broadcast, Peer: membership.Peer{Node: from}, Data: data})
	})
	l.add(partBroadcast, l.broadcast, partLink)
}

// messageNetwork is what processes are lent: a stream to any node, on demand.
type messageNetwork struct{ life *life }

func (m messageNetwork) Connect(ctx context.Context, node name.Node) error {
	return m.life.links.Reach(ctx, node)
}

func (m messageNetwork) Hold(node name.Node) (release func()) { return m.life.holds.call(node) }

func (m messageNetwork) OpenMessages(ctx context.Context, node name.Node) (process.Stream, error) {
	s, err := m.life.links.OpenStream(ctx, node, link.Messages, link.Pooled)
	if err != nil {
		return nil, err
	}
	return s, nil
}
