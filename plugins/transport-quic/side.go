package transportquic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

const (
	maxSides    = 64 // local addresses besides that of the socket
	migrateTime = 5 * time.Second
)

// sides are the packet connections of a life besides its socket. One that has ever carried
// a connection has to outlive it. So local addresses that connections have moved to, which
// they share, live as long as the node; what a Path has made is of one connection and lives
// as long as that does.
type sides struct {
	mu  sync.Mutex
	all []*side
}

type side struct {
	socket net.PacketConn
	quic   *quic.Transport
	tunnel *tunnel // under it, if it is of one connection, the owner
	owner  *conn
	users  map[*conn]bool
}

// sideFor returns a side that the connection does not use at present, and notes that it
// does from now on.
func (l *life) sideFor(ctx context.Context, c *conn) (*side, error) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	for _, s := range l.sides.all {
		if s.tunnel == nil && !s.users[c] {
			s.users[c] = true
			return s, nil
		}
	}
	socket, err := l.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if l.sides.shared() >= maxSides {
		return nil, errors.Join(fmt.Errorf("%d addresses are in use besides the socket, the most there may be", maxSides), socket.Close())
	}
	s := l.addSide(socket)
	s.users[c] = true
	return s, nil
}

// shared is how many there are that connections share. Callers hold s.mu.
func (s *sides) shared() (n int) {
	for _, side := range s.all {
		if side.tunnel == nil {
			n++
		}
	}
	return n
}

// addSide makes a transport of a packet connection. Callers hold l.sides.mu.
func (l *life) addSide(socket net.PacketConn) *side {
	s := &side{socket: socket, users: map[*conn]bool{}, quic: &quic.Transport{Conn: socket, StatelessResetKey: l.quic.StatelessResetKey}}
	l.sides.all = append(l.sides.all, s)
	return s
}

// leaveSides notes that a connection uses one side from now on, and no other.
func (l *life) leaveSides(c *conn, but *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	for _, s := range l.sides.all {
		if s != but && s.users[c] {
			delete(s.users, c)
			s.empty(afterglow)
		}
	}
}

// leaveSide forgets that a connection wanted to use a side.
func (l *life) leaveSide(c *conn, s *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	delete(s.users, c)
	s.empty(0)
}

// endSides is for a connection that has ended: what was its own is closed.
func (l *life) endSides(c *conn) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	l.sides.all = slices.DeleteFunc(l.sides.all, func(s *side) bool {
		delete(s.users, c)
		if s.owner == c {
			_ = s.close() // nobody uses it
		}
		return s.owner == c
	})
}

// close ends all of them; the connections have been closed before.
func (s *sides) close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, side := range s.all {
		err = errors.Join(err, side.close())
	}
	s.all = nil
	return err
}

func (s *side) close() error {
	err := s.quic.Close()
	if closed := s.socket.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// dropSide closes one that carries nothing any more, unless all have been closed.
func (l *life) dropSide(s *side) {
	l.sides.mu.Lock()
	defer l.sides.mu.Unlock()
	if i := slices.Index(l.sides.all, s); i >= 0 {
		l.sides.all = slices.Delete(l.sides.all, i, i+1)
		_ = s.close() // nobody uses it
	}
}

// Migrate moves the connection to another local address, or to the way that the path
// names now.
func (c *conn) Migrate(ctx context.Context) error {
	if !c.dialed {
		return fmt.Errorf("this end accepted it: %w", transport.ErrFixed)
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	select {
	case c.moving <- struct{}{}:
		defer func() { <-c.moving }()
	case <-ctx.Done():
		return fmt.Errorf("another move is under way: %w", ctx.Err())
	}
	s, at, err := c.elsewhere(ctx)
	if err != nil {
		return fmt.Errorf("no local address to go to: %w", err)
	}
	if err := c.moveTo(ctx, s); err != nil {
		c.life.leaveSide(c, s)
		return err
	}
	c.at.Store(at)
	c.life.leaveSides(c, s)
	c.way.taken()
	c.Astray() // to know the way as it is now
	return nil
}

// elsewhere is a side that the connection does not use at present.
func (c *conn) elsewhere(ctx context.Context) (*side, *position, error) {
	if c.life.path != nil {
		if s, at, err := c.life.viaFor(ctx, c); s != nil || err != nil {
			return s, at, err
		}
	}
	s, err := c.life.sideFor(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return s, &position{local: name.AddressFrom(addrPort(s.socket.LocalAddr())), remote: c.at.Load().remote}, nil
}

// moveTo proves the path from a side and takes it. A path that does not answer is given
// up: the peer grants few connection IDs, and each path holds one.
func (c *conn) moveTo(ctx context.Context, s *side) error {
	path, err := c.quic.AddPath(s.quic)
	if _, local := errors.AsType[net.Error](err); local { // of the socket; all else is the peer's word
		return err
	} else if err != nil {
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
