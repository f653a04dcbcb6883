package link

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Errors of Migrate; test with errors.Is. Besides these two there are ErrNoLink, when
// there is none to move or it ended meanwhile, and ErrStopped.
var (
	// ErrFixed: the link can never move; it can once it has been made anew.
	ErrFixed = transport.ErrFixed
	// ErrPathDead: there is no other path for now: it was not proved in time, there is no
	// address to go to, or the new connection failed (its reason is wrapped too). The link
	// goes on over the old one, and a later attempt may succeed.
	ErrPathDead = errors.New("no other path for now")
)

// Moved says how a link was moved.
type Moved struct {
	From, To name.Address // of this end
	Redialed bool         // the peer had dialed, so that this end has made another connection
}

// Migrate moves the link to a peer to another local address, without losing or
// reordering messages and frames that are on their way: the end that dialed moves the
// connection with all there is on it, the other dials another one, which replaces it for
// all that is new. Streams in use stay on the one before, which is kept for them for as
// long as its path carries it.
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
	switch {
	case err == nil || errors.Is(err, ErrFixed):
		return err
	case c.ended():
		return fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	return fmt.Errorf("%w: %w", ErrPathDead, err)
}

// renew dials although there is a link. The new connection wins by its epoch.
func (l *Links) renew(ctx context.Context, node name.Node) (*conn, error) {
	f, err := l.another(node)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrPathDead, ctx.Err())
	}
	if f.err != nil && !errors.Is(f.err, ErrStopped) {
		return nil, fmt.Errorf("%w: %w", ErrPathDead, f.err)
	}
	return f.conn, f.err
}

// another is the dial for a further connection to a node.
func (l *Links) another(node name.Node) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		return nil, ErrStopped
	}
	p := l.peer(node)
	if len(p.conns) >= maxConns {
		return nil, fmt.Errorf("%w: %d connections still have streams in use: %w", ErrPathDead, len(p.conns), ErrBusy)
	}
	if p.flight == nil && l.launch(p, node, nil) == nil {
		return nil, ErrStopped
	}
	return p.flight, nil
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
