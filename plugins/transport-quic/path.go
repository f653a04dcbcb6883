package transportquic

import (
	"context"
	"fmt"
	"net"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Path makes a packet connection of its own for the way to an address, and says where
// to send on it: a tunnel, or a relay. A nil connection stands for the socket of the
// node. What it returns is closed when the connection that it was made for ends.
type Path func(ctx context.Context, to name.Address) (net.PacketConn, net.Addr, error)

// NewVia is the transport "quic" whose links may go other ways than straight: path is
// asked at each dial. The handshake proves who is at the other end, whatever lies
// between.
func NewVia(env transport.Env, s *Settings, path Path) (transport.Plugin, error) {
	c := newSocketCarrier(env, s)
	c.path = path
	return c, nil
}

// dialVia dials on a packet connection of the path's making; nil if it makes none.
func (l *life) dialVia(ctx context.Context, addr name.Address) (*conn, error) {
	socket, to, err := l.path(ctx, addr)
	if err != nil || socket == nil {
		return nil, err
	}
	l.sides.mu.Lock()
	s := l.addSide(socket, true)
	l.sides.mu.Unlock()
	c, err := l.dialOn(ctx, s, to)
	if err != nil {
		l.dropSide(s)
		return nil, err
	}
	context.AfterFunc(c.ctx, func() { l.dropSide(s) })
	return c, nil
}

func (l *life) dialOn(ctx context.Context, s *side, to net.Addr) (*conn, error) {
	qc, err := s.quic.Dial(ctx, to, l.tls, l.config)
	if err != nil {
		return nil, fmt.Errorf("by a path of its own: %w at %s: %w", transport.ErrUnreachable, to, err)
	}
	return l.adopt(qc, true, true)
}
