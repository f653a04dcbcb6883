package transportquic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Path makes a packet connection of its own for the way to a node at an address, and says
// where to send on it: a tunnel, or a relay. The node is zero if whoever dials does not
// say. A nil connection stands for the socket of the node. What it returns is closed when
// the connection has ended, or has moved to another.
type Path func(ctx context.Context, node name.Node, at name.Address) (net.PacketConn, net.Addr, error)

// NewVia is the transport "quic" whose links may go other ways than straight: path is
// asked at each dial, and again when a link is to move. The handshake proves who is at the
// other end, whatever lies between.
func NewVia(env transport.Env, s *Settings, path Path) (transport.Plugin, error) {
	c := newSocketCarrier(env, s)
	c.path = path
	return c, nil
}

// dialVia dials on a packet connection of the path's making; nil if it makes none.
func (l *life) dialVia(ctx context.Context, to target) (*conn, error) {
	socket, at, err := l.path(ctx, to.node, to.addr)
	if err != nil || socket == nil {
		return nil, err
	}
	l.sides.mu.Lock()
	s := l.addTunnel(newTunnel(newWay(socket, at), at))
	l.sides.mu.Unlock()
	qc, err := s.quic.Dial(ctx, at, l.tls, l.config)
	if err != nil {
		l.dropSide(s)
		return nil, fmt.Errorf("by a path of its own: %w at %s: %w", transport.ErrUnreachable, at, err)
	}
	c, err := l.adopt(qc, to, true)
	if err != nil || !l.own(s, c) {
		l.dropSide(s)
	}
	return c, err
}

// own makes a side that of a connection, unless that has ended.
func (l *life) own(s *side, c *conn) bool {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	s.owner, s.users[c] = c, true
	return c.ctx.Err() == nil
}

// viaFor returns a side with the way that the path names now, for a connection that is to
// move; nil if the connection goes straight and is to go on so. One that was not dialed by
// a path never goes by one: it marks its packets for congestion, and QUIC panics where that
// is not possible.
func (l *life) viaFor(ctx context.Context, c *conn) (*side, *position, error) {
	socket, at, err := l.path(ctx, c.target.node, c.target.addr)
	private := socket != nil
	switch {
	case err != nil:
		return nil, nil, err
	case !private && !c.tunnelled:
		return nil, nil, nil
	case !c.tunnelled:
		return nil, nil, errors.Join(fmt.Errorf("it was made without the path: %w", transport.ErrFixed), socket.Close())
	case !private:
		socket, at, err = l.straight(ctx, c.target.addr)
	}
	if err != nil {
		return nil, nil, err
	}
	s := l.tunnelFor(c, newWay(socket, at))
	if s == nil {
		return nil, nil, errors.Join(fmt.Errorf("the connection has ended meanwhile: %w", transport.ErrClosed), socket.Close())
	}
	return s, &position{name.AddressFrom(addrPort(socket.LocalAddr())), name.AddressFrom(addrPort(at)), private}, nil
}

// straight is a way to an address without a path.
func (l *life) straight(ctx context.Context, addr name.Address) (net.PacketConn, net.Addr, error) {
	targets, err := l.resolve(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	socket, err := l.fresh(ctx)
	return socket, net.UDPAddrFromAddrPort(targets[0]), err
}

// tunnelFor puts a way under a side of the connection that it does not use at present. It
// has two in the end, which take turns. nil if the connection has ended: nobody would close
// them.
func (l *life) tunnelFor(c *conn, w *packetWay) *side {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil
	}
	for _, s := range l.sides.all {
		if s.owner == c && !s.users[c] {
			s.users[c] = true
			s.tunnel.put(w, nil)
			return s
		}
	}
	s := l.addTunnel(newTunnel(w, c.far))
	s.owner, s.users[c] = c, true
	return s
}

// addTunnel makes a transport of a tunnel. Callers hold l.sides.mu.
func (l *life) addTunnel(t *tunnel) *side {
	s := l.addSide(t)
	s.tunnel = t
	return s
}

// afterglow is for how long packets may still come by a way that is not used any more.
const afterglow = 3 * time.Second

// empty closes the way of a tunnel that its connection does not use, at once or after a
// while.
func (s *side) empty(after time.Duration) {
	if s.tunnel == nil {
		return
	}
	s.tunnel.mu.Lock()
	w := s.tunnel.way
	s.tunnel.mu.Unlock()
	if w != nil {
		time.AfterFunc(after, func() { s.tunnel.put(nil, w) })
	}
}
