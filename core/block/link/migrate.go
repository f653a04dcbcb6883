package link

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Errors of Migrate; test with errors.Is. ErrNoLink is another: there is none to move.
var (
	// ErrFixed: the link can never move; it can once it has been made anew.
	ErrFixed = transport.ErrFixed
	// ErrPathDead: the new path was not proved in time. The link goes on over the old
	// one, and a later attempt may succeed.
	ErrPathDead = errors.New("new path not proved in time")
)

// Moved says how a link was moved.
type Moved struct {
	From, To name.Address // of this end
	Redialed bool         // the peer had dialed, so that this end has made another connection
}

// Migrate moves the link to a peer to another local address, without losing or
// reordering what is on its way: the end that dialed moves the connection, the other
// dials another one, which replaces it.
func (l *Links) Migrate(ctx context.Context, node name.Node) (Moved, error) {
	c := l.current(node)
	if c == nil {
		return Moved{}, fmt.Errorf("migrate %s: %w", node, ErrNoLink)
	}
	m := Moved{From: c.t.Info().Local, Redialed: !c.dialed}
	var err error
	if c.dialed {
		err = c.migrate(ctx)
	} else {
		c, err = l.renew(ctx, node)
	}
	if err != nil {
		return m, fmt.Errorf("migrate %s: %w", node, err)
	}
	m.To = c.t.Info().Local
	return m, nil
}

func (c *conn) migrate(ctx context.Context) error {
	mover, ok := c.t.(transport.Migrator)
	if !ok {
		return fmt.Errorf("its transport moves nothing: %w", ErrFixed)
	}
	err := mover.Migrate(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrPathDead, err)
	}
	if err != nil && c.ended() {
		return fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	return err
}

// renew dials although there is a link. The new connection wins by its epoch.
func (l *Links) renew(ctx context.Context, node name.Node) (*conn, error) {
	l.mu.Lock()
	if !l.running {
		l.mu.Unlock()
		return nil, ErrStopped
	}
	p := l.peer(node)
	if len(p.conns) >= maxConns {
		l.mu.Unlock()
		return nil, fmt.Errorf("%d connections still have streams in use: %w", len(p.conns), ErrBusy)
	}
	f := p.flight
	if f == nil {
		f = l.launch(p, node, nil)
	}
	l.mu.Unlock()
	if f == nil {
		return nil, ErrStopped
	}
	select {
	case <-f.done:
		return f.conn, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrPathDead, ctx.Err())
	}
}

// Astray is the peers whose links had better move, because this machine has: see
// transport.Rover.
func (l *Links) Astray() (nodes []name.Node) {
	for node, c := range l.inUse() {
		if rover, ok := c.t.(transport.Rover); ok && rover.Astray() {
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, name.Node.Compare)
	return nodes
}

// inUse is the connection in use of each peer that has one.
func (l *Links) inUse() map[name.Node]*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make(map[name.Node]*conn, l.linked)
	for node, p := range l.peers {
		if p.current != nil && !p.current.ended() {
			conns[node] = p.current
		}
	}
	return conns
}
