package link

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// peer is what this node knows of its links with one other node.
type peer struct {
	current *conn   // the one to use; nil while there is no link
	conns   []*conn // current and those that drain
	up      Peer    // as reported by Observer.Up; zero while down
	held    bool    // membership needs the link
	epoch   uint64  // the highest seen of the pair

	flight    *flight
	fails     int
	notBefore time.Time
	lastErr   error
}

// peer returns the entry for node, made on demand. Callers hold l.mu.
func (l *Links) peer(node name.Node) *peer {
	p := l.peers[node]
	if p == nil {
		p = &peer{}
		l.peers[node] = p
	}
	return p
}

// join takes an authenticated connection in and returns the one to use for its peer,
// which is another one if that wins.
func (l *Links) join(c *conn) (*conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.mayJoin(c); err != nil {
		c.end(transport.CloseBusy, err.Error())
		close(c.gone)
		return nil, err
	}
	p := l.peer(c.peer.Node)
	if p.current != nil && c.peer.Incarnation < p.up.Incarnation {
		c.end(transport.CloseDuplicate, "a later life of the node is linked")
		close(c.gone)
		return p.current, nil
	}
	if p.current != nil && c.peer.Incarnation > p.up.Incarnation {
		l.bury(p)
	}
	p.epoch = max(p.epoch, c.epoch)
	p.conns = append(p.conns, c)
	p.choose(c)
	if p.up.Node.IsZero() {
		p.up = c.peer
		p.dialed(nil)
		l.cfg.Observer.Up(c.peer)
	}
	c.run()
	p.land(p.current)
	return p.current, nil
}

// land gives those who wait for a dial the connection that there is now. The dial
// itself goes on: it may be the one that wins.
func (p *peer) land(c *conn) {
	if f := p.flight; f != nil && f.conn == nil {
		f.conn = c
		close(f.done)
	}
}

func (l *Links) mayJoin(c *conn) error {
	if !l.running {
		return fmt.Errorf("link to %s: %w", c.peer.Node, ErrStopped)
	}
	if l.peers[c.peer.Node] == nil && len(l.peers) >= maxLinks {
		return fmt.Errorf("link to %s: %d peers are linked, the most there may be", c.peer.Node, maxLinks)
	}
	return nil
}

// bury ends the links with an earlier life of a peer before the later one comes up.
func (l *Links) bury(p *peer) {
	for _, old := range p.conns {
		old.buried.Store(true)
		old.end(transport.CloseDuplicate, "a later life of the node is linked")
	}
	gone := p.up
	p.current, p.conns, p.up = nil, nil, Peer{}
	l.cfg.Observer.Down(gone, transport.CloseNone, "the node started again")
}

// choose settles which of the current connection and a new one is used from now on.
func (p *peer) choose(c *conn) {
	old := p.current
	if old == nil {
		p.current = c
		return
	}
	winner, loser := c, old
	if !wins(c, old) {
		winner, loser = old, c
	}
	p.current = winner
	loser.drain.Do(func() { close(loser.draining) })
	loser.links.cfg.Tasks.Go("retire", func(ctx context.Context) { loser.retire(ctx, winner) })
}

// wins orders two connections of a pair, the same at both ends: the higher epoch,
// then the one that the smaller name dialed, then the later one.
func wins(c, old *conn) bool {
	if c.epoch != old.epoch {
		return c.epoch > old.epoch
	}
	return c.dialer().Compare(old.dialer()) <= 0
}

// Waiting for a loser to become unused.
const (
	drainTime = 5 * time.Second
	drainStep = 100 * time.Millisecond // also gives streams under way time to arrive
)

// retire closes a connection that lost, in good order. Its dialer does it, once the
// winner has carried a round trip; the other end steps in if that does not happen.
func (c *conn) retire(ctx context.Context, winner *conn) {
	wait := drainTime
	if c.dialed {
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		_, err := winner.ping(ctx)
		cancel()
		if err != nil {
			return // the winner is in trouble itself; liveness decides about both
		}
	} else {
		wait *= 3
	}
	c.awaitDrained(ctx, wait)
	c.goodbye(transport.CloseDuplicate, "another connection of the pair is used")
}

func (c *conn) awaitDrained(ctx context.Context, wait time.Duration) {
	deadline := time.Now().Add(wait)
	for time.Now().Before(deadline) {
		if !pause(ctx, drainStep) || c.t.Context().Err() != nil {
			return
		}
		if c.dialed && c.open.Load() == 0 {
			return
		}
	}
}

// lost takes a connection out that has ended. If it was the one in use, a connection
// that drained is used again, and without one the link is down.
func (l *Links) lost(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[c.peer.Node]
	if p == nil || !slices.Contains(p.conns, c) {
		return // buried
	}
	p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
	if p.current != c {
		return
	}
	p.current = nil
	if len(p.conns) > 0 {
		p.current = p.conns[len(p.conns)-1]
		return
	}
	down := p.up
	p.up = Peer{}
	code, text := c.cause()
	l.cfg.Observer.Down(down, code, text)
}
