package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"

	"github.com/barrelp2p/barrel/core/machine/handshake"
)

// The back-off after a failed dial: it doubles from the first to the last, plus or
// minus half, and a success or an inbound link ends it.
const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 30 * time.Second
	reachTime    = 3 * time.Second  // for one endpoint to answer at all
	resolveTime  = 15 * time.Second // for discovery, with all its backends
)

// BackoffError says that a node is not dialed again yet.
type BackoffError struct {
	Node  name.Node
	Until time.Time
	Last  error
}

// Error tells the last failure and when the next attempt may come.
func (e *BackoffError) Error() string {
	return fmt.Sprintf("%v (next attempt in %v)", e.Last, time.Until(e.Until).Round(time.Millisecond))
}

// Unwrap gives errors.Is the last failure.
func (e *BackoffError) Unwrap() error { return e.Last }

// flight is one dial under way, shared by all who want the link.
type flight struct {
	done chan struct{}
	over bool // guarded by links.mu
	conn *conn
	err  error
}

// finish tells all who wait, once. Callers hold l.mu.
func (f *flight) finish(c *conn, err error) {
	if !f.over {
		f.over, f.conn, f.err = true, c, err
		close(f.done)
	}
}

// get returns the connection to use for node: the one that is there, or a new one.
// now dials even if an earlier failure asks for patience.
func (l *Links) get(ctx context.Context, node name.Node, known []name.Address, now bool) (*conn, error) {
	if node == l.cfg.Node {
		return nil, fmt.Errorf("link to %s: %w", node, ErrSelf)
	}
	c, f, err := l.reuseOrDial(node, known, now)
	if c != nil || err != nil {
		return c, err
	}
	select {
	case <-f.done:
		return f.conn, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("link to %s: dial under way: %w", node, ctx.Err())
	}
}

func (l *Links) reuseOrDial(node name.Node, known []name.Address, now bool) (*conn, *flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		return nil, nil, fmt.Errorf("link to %s: %w", node, ErrStopped)
	}
	p := l.peer(node)
	p.released = time.Time{}
	if p.current != nil && !p.current.closing() {
		p.current.want()
		return p.current, nil, nil
	}
	if p.flight != nil {
		return nil, p.flight, nil
	}
	if !now && time.Now().Before(p.notBefore) {
		return nil, nil, &BackoffError{Node: node, Until: p.notBefore, Last: p.lastErr}
	}
	f := l.launch(p, node, known)
	if f == nil {
		return nil, nil, fmt.Errorf("link to %s: %w", node, ErrStopped)
	}
	return nil, f, nil
}

// launch begins a dial; nil when the block stops. Callers hold l.mu.
func (l *Links) launch(p *peer, node name.Node, known []name.Address) *flight {
	f := &flight{done: make(chan struct{})}
	p.flight = f
	p.epoch++
	target := dialTarget{node: node, epoch: p.epoch}
	if !l.cfg.Tasks.Go("dial", func(ctx context.Context) { l.fly(ctx, f, target, known) }) {
		p.flight = nil
		return nil
	}
	return f
}

// fly makes the dial and tells all who wait for it, unless a connection that came in
// meanwhile has served them.
func (l *Links) fly(ctx context.Context, f *flight, target dialTarget, known []name.Address) {
	var c *conn
	err := fmt.Errorf("link to %s: dial broken off", target.node) // if it panics
	defer func() { l.landed(f, target.node, c, err) }()
	if c, err = l.dial(ctx, target, known); err == nil {
		c, err = l.join(ctx, c)
	}
}

func (l *Links) landed(f *flight, node name.Node, c *conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peer(node)
	p.flight = nil
	if err != nil && !l.running {
		err = fmt.Errorf("link to %s: %w", node, ErrStopped)
	} else if !f.over {
		p.dialed(err)
	}
	f.finish(c, err)
}

// dialed notes the outcome of a dial for the back-off.
func (p *peer) dialed(err error) {
	if err == nil {
		p.fails, p.notBefore, p.lastErr = 0, time.Time{}, nil
		return
	}
	wait := lastBackoff
	if p.fails < 7 {
		wait = firstBackoff << p.fails
	}
	p.fails++
	p.lastErr = err
	p.notBefore = time.Now().Add(wait/2 + rand.N(wait))
}

// dial tries the endpoints of a node in order until one leads to it: first what the
// caller and the cluster know, which the node itself has said, then what discovery says,
// which is asked only if need be.
func (l *Links) dial(ctx context.Context, target dialTarget, known []name.Address) (*conn, error) {
	failed := &DialError{Node: target.node}
	tried := l.known(target.node, known)
	c, over := l.dialAll(ctx, target, tried, failed)
	if c != nil {
		return c, nil
	}
	if over {
		return nil, failed
	}
	found, err := l.discover(ctx, target.node)
	found = slices.DeleteFunc(found, func(a name.Address) bool { return slices.Contains(tried, a) })
	if err != nil && len(tried) == 0 {
		failed.Attempts = append(failed.Attempts, err)
		return nil, failed
	}
	if c, _ := l.dialAll(ctx, target, found, failed); c != nil {
		return c, nil
	}
	l.cfg.Resolver.Invalidate(target.node)
	return nil, failed
}

// dialAll tries some endpoints. The time for all is bounded: each attempt leaves enough
// for those after it to reach somebody. over says that no other endpoint would do.
func (l *Links) dialAll(ctx context.Context, target dialTarget, all []name.Address, failed *DialError) (c *conn, over bool) {
	end := time.Now().Add(l.cfg.HandshakeTimeout + time.Duration(len(all))*reachTime)
	for i, addr := range all {
		spare := time.Duration(len(all)-1-i) * reachTime
		c, err := l.dialOne(ctx, target, addr, end.Add(-spare))
		if err == nil {
			return c, false
		}
		failed.Attempts = append(failed.Attempts, err)
		if final(err) || ctx.Err() != nil {
			return nil, true
		}
	}
	return nil, false
}

// known is what the caller and the cluster know of a node, without repetition.
func (l *Links) known(node name.Node, given []name.Address) []name.Address {
	all := slices.Clone(given)
	if l.cfg.Known != nil {
		all = append(all, l.cfg.Known(node)...)
	}
	return distinct(all)
}

// discover is what discovery says.
func (l *Links) discover(ctx context.Context, node name.Node) ([]name.Address, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := l.cfg.Resolver.Addresses(ctx, node)
	if err == nil && len(found) == 0 {
		err = errors.New("no endpoints known")
	}
	return distinct(found), err
}

// distinct are the first few different addresses of a list, in its order.
func distinct(list []name.Address) []name.Address {
	var all []name.Address
	for _, addr := range list {
		if !slices.Contains(all, addr) && len(all) < maxCandidates {
			all = append(all, addr)
		}
	}
	return all
}

func (l *Links) dialOne(ctx context.Context, target dialTarget, addr name.Address, end time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	reach, reached := context.WithTimeout(ctx, reachTime)
	defer reached()
	t, err := l.cfg.Transport.Dial(transport.Toward(reach, target.node), addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	c, err := l.shake(ctx, t, target, func() {})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return c, nil
}

// final reports whether a node that goes by the right name answered and would answer
// the same at another endpoint. Whoever sits at an address that is out of date proves
// nothing about the others.
func final(err error) bool {
	var refusal *handshake.Refusal
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Code {
	case handshake.CodeUntrusted, handshake.CodeCookie, handshake.CodeAuthMode, handshake.CodeSkew:
		return true
	case handshake.CodeKeyMismatch, handshake.CodeUnavailable:
		return refusal.Remote // our own verdict is about whoever is at this address
	}
	return false
}
