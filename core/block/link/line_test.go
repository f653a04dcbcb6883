package link_test

import (
	"context"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// line is a transport to whose connections a test does things.
type line struct {
	transport.Plugin
	closing func()                                                       // before one is closed; nil: nothing
	inbound func(on transport.Conn, s transport.Stream) transport.Stream // what becomes of a stream of the peer; nil: nothing
}

func (l *line) Dial(ctx context.Context, to name.Address) (transport.Conn, error) {
	return l.wrapped(l.Plugin.Dial(ctx, to))
}

func (l *line) Accept(ctx context.Context) (transport.Conn, error) {
	return l.wrapped(l.Plugin.Accept(ctx))
}

func (l *line) wrapped(c transport.Conn, err error) (transport.Conn, error) {
	if err != nil {
		return nil, err
	}
	return &lineConn{c, l}, nil
}

type lineConn struct {
	transport.Conn
	of *line
}

func (c *lineConn) Close(code transport.CloseCode, reason string) error {
	if c.of.closing != nil {
		c.of.closing()
	}
	return c.Conn.Close(code, reason)
}

func (c *lineConn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	s, err := c.Conn.AcceptStream(ctx)
	if err != nil || c.of.inbound == nil {
		return s, err
	}
	return c.of.inbound(c, s), nil
}
