package transportquic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Path makes a packet connection of its own for the way to an address, and says where
// to send on it: a tunnel, or a relay. A nil connection stands for the socket of the
// node. What it returns is closed when the node stops.
type Path func(ctx context.Context, to name.Address) (net.PacketConn, net.Addr, error)

// NewVia is the transport "quic" whose links may go other ways than straight: path is
// asked at each dial. The handshake proves who is at the other end, whatever lies
// between.
func NewVia(env transport.Env, s *Settings, path Path) (transport.Plugin, error) {
	c := newSocketCarrier(env, s)
	c.path = path
	return c, nil
}

const (
	maxSides    = 64 // packet connections besides the socket
	migrateTime = 5 * time.Second
)

// sides are the packet connections of a life besides its socket: local addresses that
// connections have moved to, and paths. One that has ever carried a connection has to
// outlive it, so they live as long as the node.
type sides struct {
	mu  sync.Mutex
	all []*side
}

type side struct {
	socket net.PacketConn
	quic   *quic.Transport
	path   bool // it leads to one place
	users  map[*conn]bool
}

// sideFor returns a side that the connection does not use at present, and notes that it
// does from now on.
func (l *life) sideFor(ctx context.Context, c *conn) (*side, error) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	for _, s := range l.sides.all {
		if !s.path && !s.users[c] {
			s.users[c] = true
			return s, nil
		}
	}
	socket, err := l.fresh(ctx)
	if err != nil {
		return nil, err
	}
	s, err := l.addSide(socket, false)
	if err == nil {
		s.users[c] = true
	}
	return s, err
}

// addSide makes a transport of a packet connection. Callers hold l.sides.mu.
func (l *life) addSide(socket net.PacketConn, path bool) (*side, error) {
	if len(l.sides.all) >= maxSides {
		return nil, errors.Join(fmt.Errorf("%d addresses are in use besides the socket, the most there may be", maxSides), socket.Close())
	}
	s := &side{socket: socket, path: path, users: map[*conn]bool{}, quic: &quic.Transport{Conn: socket, StatelessResetKey: l.quic.StatelessResetKey}}
	l.sides.all = append(l.sides.all, s)
	return s, nil
}

// leaveSides forgets which sides a connection does not use any more.
func (l *life) leaveSides(c *conn, but *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	for _, s := range l.sides.all {
		if s != but {
			delete(s.users, c)
		}
	}
}

// leaveSide forgets that a connection wanted to use a side.
func (l *life) leaveSide(c *conn, s *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	delete(s.users, c)
}

// close ends all of them; the connections have been closed before.
func (s *sides) close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, side := range s.all {
		err = errors.Join(err, side.quic.Close())
		if closed := side.socket.Close(); !errors.Is(closed, net.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	s.all = nil
	return err
}

// dialVia dials on a packet connection of the path's making; nil if it makes none.
func (l *life) dialVia(ctx context.Context, addr name.Address) (*quic.Conn, error) {
	socket, to, err := l.path(ctx, addr)
	if err != nil || socket == nil {
		return nil, err
	}
	l.sides.mu.Lock()
	s, err := l.addSide(socket, true)
	l.sides.mu.Unlock()
	if err != nil {
		return nil, err
	}
	qc, err := s.quic.Dial(ctx, to, l.tls, l.config)
	if err != nil {
		l.dropSide(s)
		return nil, fmt.Errorf("by a path of its own: %w at %s: %w", transport.ErrUnreachable, to, err)
	}
	return qc, nil
}

// dropSide closes one that carries nothing.
func (l *life) dropSide(s *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	for i, other := range l.sides.all {
		if other == s {
			l.sides.all = append(l.sides.all[:i], l.sides.all[i+1:]...)
		}
	}
	_, _ = s.quic.Close(), s.socket.Close() // nobody used it
}

// Migrate moves the connection to another local address.
func (c *conn) Migrate(ctx context.Context) error {
	if !c.dialed {
		return fmt.Errorf("this end accepted it: %w", transport.ErrFixed)
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	s, err := c.life.sideFor(ctx, c)
	if err != nil {
		return fmt.Errorf("no local address to go to: %w", err)
	}
	if err := c.moveTo(ctx, s); err != nil {
		c.life.leaveSide(c, s)
		return err
	}
	local := name.AddressFrom(addrPort(s.socket.LocalAddr()))
	c.local.Store(&local)
	c.life.leaveSides(c, s)
	c.way.taken()
	c.Astray() // to know the way as it is now
	return nil
}

// moveTo proves the path from a side and takes it. A path that does not answer is given
// up: the peer grants few connection IDs, and each path holds one.
func (c *conn) moveTo(ctx context.Context, s *side) error {
	path, err := c.quic.AddPath(s.quic)
	if err != nil {
		return fmt.Errorf("%w: %w", err, transport.ErrFixed)
	}
	if err = path.Probe(ctx); err != nil {
		err = fmt.Errorf("the path from %s is not answered: %w", s.socket.LocalAddr(), errors.Join(err, ctx.Err()))
	} else if err = path.Switch(); err != nil {
		err = fmt.Errorf("the path from %s: %w", s.socket.LocalAddr(), err)
	}
	if err != nil {
		return errors.Join(err, path.Close())
	}
	return nil
}
