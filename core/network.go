package core

import (
	"context"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// memberNetwork is what membership is lent: links, and frames on its channel.
type memberNetwork struct{ life *life }

func (m memberNetwork) Self() []name.Address { return m.life.transport.Addresses() }

func (m memberNetwork) Connect(ctx context.Context, node name.Node, known []name.Address) error {
	return m.life.links.Connect(ctx, node, known)
}

func (m memberNetwork) Send(node name.Node, frame []byte) error {
	return m.life.links.Send(node, link.Membership, frame)
}

func (m memberNetwork) Hold(node name.Node, hold bool) { m.life.links.Hold(node, hold) }

func (m memberNetwork) Disconnect(node name.Node, code transport.CloseCode, reason string) {
	m.life.links.Disconnect(node, code, reason)
}

// messageNetwork is what processes are lent: a stream to any node, on demand.
type messageNetwork struct{ life *life }

func (m messageNetwork) Connect(ctx context.Context, node name.Node) error {
	return m.life.links.Reach(ctx, node)
}

func (m messageNetwork) OpenMessages(ctx context.Context, node name.Node) (process.Stream, error) {
	s, err := m.life.links.OpenStream(ctx, node, link.Messages, link.Pooled)
	if err != nil {
		return nil, err
	}
	return s, nil
}
