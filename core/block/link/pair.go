package link

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// maxConns is how many connections one peer may have with us: the one in use, and
// those that drain.
const maxConns = 4

// peer is what this node knows of its links with one other node.
type peer struct {
	current *conn   // the one to use; nil while there is none
	conns   []*conn // all that have not ended, the oldest first
	up      Peer    // as reported by Observer.Up; zero while down
	held    bool    // membership needs the link
	epoch   uint64  // the highest seen of the pair

	released  time.Time // when membership let the link go; zero if it did not
	proposals int       // to close it, since then
	propose   time.Time // not before

	flight    *flight
	fails     int
	notBefore time.Time
	lastErr   error
}

// peer returns the entry for node, made on demand. Callers hold l.mu.
func (l *Links) peer(node name.Node) *peer {
	p := l.peers[node]
	if p == nil {
		if len(l.peers) >= maxPeers {
			l.prune(time.Now().Add(2 * lastBackoff))
		}
		p = &peer{}
		l.peers[node] = p
	}
	return p
}

// prune forgets the peers of which nothing is worth remembering at the time now.
// Callers hold l.mu.
func (l *Links) prune(now time.Time) {
	for node, p := range l.peers {
		if len(p.conns) == 0 && p.flight == nil && !p.held && now.After(p.notBefore) {
			delete(l.peers, node)
		}
	}
}

// join takes an authenticated connection in and returns the one to use for its peer,
// which is another one if that wins. Connections that are about to end, those with an
// earlier life of the peer above all, end first, so that their last frame and Down
// come before Up.
func (l *Links) join(ctx context.Context, c *conn) (*conn, error) {
	for {
		current, before, err := l.tryJoin(c)
		if err != nil {
			c.close()
		}
		if before == nil {
			return current, err
		}
		select {
		case <-before.gone:
		case <-c.t.Context().Done():
			return nil, fmt.Errorf("link to %s: %w", c.peer.Node, context.Cause(c.t.Context()))
		case <-ctx.Done():
			c.end(transport.CloseStopping, "node stops")
			return nil, fmt.Errorf("link to %s: %w", c.peer.Node, ctx.Err())
		}
	}
}

// tryJoin does the work of join, unless another connection has to end before. When it fails
// the caller closes c.
func (l *Links) tryJoin(c *conn) (current, before *conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if code, err := l.mayJoin(c); err != nil {
		c.condemn(code, err.Error())
		return nil, nil, err
	}
	p := l.peer(c.peer.Node)
	if before := p.obstacle(c); before != nil {
		return nil, before, nil
	}
	if !p.up.Node.IsZero() && c.peer.Incarnation < p.up.Incarnation {
		err := fmt.Errorf("link to %s: incarnation %d, and incarnation %d is linked: another node runs under the name, or its clock went back", c.peer.Node, c.peer.Incarnation, p.up.Incarnation)
		c.condemn(transport.CloseDuplicate, "a later life of the node is linked")
		return nil, nil, err
	}
	if !c.run() {
		c.condemn(transport.CloseStopping, "node stops")
		return nil, nil, fmt.Errorf("link to %s: %w", c.peer.Node, ErrStopped)
	}
	l.admitTo(p, c)
	if p.current == nil {
		return nil, nil, fmt.Errorf("link to %s: it ended at once: %w", c.peer.Node, ErrNoLink)
	}
	return p.current, nil, nil
}

// mayJoin says why not, and with which code to close.
func (l *Links) mayJoin(c *conn) (transport.CloseCode, error) {
	if !l.running {
		return transport.CloseStopping, fmt.Errorf("link to %s: %w", c.peer.Node, ErrStopped)
	}
	if p := l.peers[c.peer.Node]; l.linked >= maxLinks && (p == nil || p.up.Node.IsZero()) {
		return transport.CloseBusy, fmt.Errorf("link to %s: %d peers are linked, the most there may be: %w", c.peer.Node, maxLinks, ErrBusy)
	}
	return transport.CloseNone, nil
}

// obstacle returns a connection that has to end before c can join: one with an earlier
// life of the peer, or, where there is none to use, one that is about to end.
func (p *peer) obstacle(c *conn) *conn {
	for _, old := range p.conns {
		if old.peer.Incarnation < c.peer.Incarnation {
			old.bury("a later life of the node is linked")
			return old
		}
		if old.closing() && (p.current == nil || p.current.closing()) {
			return old
		}
	}
	return nil
}

// Outlived ends what there is of links to lives of node before that one, with CloseRestarted: the
// node has started again, and its old life will not say that it is over.
func (l *Links) Outlived(node name.Node, incarnation uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[node]
	if p == nil {
		return
	}
	for _, c := range p.conns {
		if c.peer.Incarnation < incarnation {
			c.bury("a later life of the node is known")
			p.leave(c)
		}
	}
}

// bury ends a connection with a life of the peer that is over. If that runs all the same, it is a
// twin, and hears that it is one too many.
func (c *conn) bury(why string) {
	c.buried.Store(true)
	c.endApart(transport.CloseDuplicate, why)
}

// admitTo makes c one of the connections of p and settles which one is used.
func (l *Links) admitTo(p *peer, c *conn) {
	p.epoch = max(p.epoch, c.epoch)
	p.conns = append(p.conns, c)
	l.choose(p)
	if p.up.Node.IsZero() {
		p.up = c.peer
		l.linked++
		l.cfg.Observer.Up(c.peer)
	}
	p.dialed(nil)
	p.land()
	close(c.joined)
	c.awake()
	if len(p.conns) > maxConns {
		p.oldest().endApart(transport.CloseDuplicate, "too many connections of one pair")
	}
}

func (p *peer) oldest() *conn {
	i := slices.IndexFunc(p.conns, func(c *conn) bool { return c != p.current })
	return p.conns[i]
}

// land gives those who wait for a dial the connection that there is now. The dial
// itself goes on: it may be the one that wins.
func (p *peer) land() {
	if f := p.flight; f != nil && p.current != nil {
		f.finish(p.current, nil)
	}
}

// choose settles which connection is used from now on; the others drain. One that was
// given up as idle is no candidate: the peer may close it at any time.
func (l *Links) choose(p *peer) {
	var best *conn
	for _, c := range p.conns {
		if !c.closing() && !c.retreated && (best == nil || wins(c, best)) {
			best = c
		}
	}
	if best == nil {
		return
	}
	p.use(best)
	for _, c := range p.conns {
		if c != best && !c.retiring && !c.closing() {
			l.replace(c, best)
		}
	}
}

// use makes c the connection for new streams and frames. Callers hold l.mu.
func (p *peer) use(c *conn) {
	if p.current != c && (c.retiring || c.retreated) {
		c.moved, c.retiring, c.retreated = make(chan struct{}), false, false
		c.peerDrained.Store(false)
	}
	p.current = c
}

// wins orders two connections of a pair, the same at both ends: the higher epoch,
// then the one that the smaller name dialed, then the later one.
func wins(c, old *conn) bool {
	if c.epoch != old.epoch {
		return c.epoch > old.epoch
	}
	return c.dialer().Compare(old.dialer()) <= 0
}

// leave takes c out of use. Callers hold l.mu.
func (p *peer) leave(c *conn) {
	if p.current == c {
		p.current = nil
	}
	select {
	case <-c.moved:
	default:
		close(c.moved)
	}
}

// lost takes a connection out that has ended. If it was the one in use, a connection
// that drained is used again, and without one the link is down.
func (l *Links) lost(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[c.peer.Node]
	if p == nil || !slices.Contains(p.conns, c) {
		return
	}
	p.leave(c)
	p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
	p.revive()
	if len(p.conns) > 0 {
		return
	}
	down := p.up
	p.up, p.released = Peer{}, time.Time{}
	l.linked--
	code, text := c.cause()
	l.cfg.Observer.Down(down, code, text)
}

// revive uses the latest connection that is left, if none is in use. Callers hold l.mu.
func (p *peer) revive() {
	for _, c := range slices.Backward(p.conns) {
		if p.current == nil && !c.closing() {
			p.use(c)
		}
	}
}
