package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"

	"github.com/barrelp2p/barrel/core/machine/handshake"
)

// The back-off after a failed dial: it doubles from the first to the last, plus or
// minus half, and a success or an inbound link ends it.
const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 30 * time.Second
	reachTime    = 3 * time.Second // for one endpoint to answer at all
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
	conn *conn
	err  error
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
	if p.current != nil {
		return p.current, nil, nil
	}
	if p.flight != nil {
		return nil, p.flight, nil
	}
	if !now && time.Now().Before(p.notBefore) {
		return nil, nil, &BackoffError{Node: node, Until: p.notBefore, Last: p.lastErr}
	}
	f := &flight{done: make(chan struct{})}
	p.flight = f
	p.epoch++
	target := dialTarget{node: node, epoch: p.epoch}
	if !l.cfg.Tasks.Go("dial", func(ctx context.Context) { l.fly(ctx, f, target, known) }) {
		p.flight = nil
		return nil, nil, fmt.Errorf("link to %s: %w", node, ErrStopped)
	}
	return nil, f, nil
}

// fly makes the dial and tells all who wait for it, unless a connection that came in
// meanwhile has served them.
func (l *Links) fly(ctx context.Context, f *flight, target dialTarget, known []name.Address) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HandshakeTimeout+reachTime)
	defer cancel()
	c, err := l.dial(ctx, target, known)
	if err == nil {
		c, err = l.join(c)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peer(target.node)
	p.flight = nil
	if f.conn != nil {
		return // all who waited have been served
	}
	p.dialed(err)
	f.conn, f.err = c, err
	close(f.done)
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

// dial tries the endpoints of a node in order until one leads to it.
func (l *Links) dial(ctx context.Context, target dialTarget, known []name.Address) (*conn, error) {
	candidates, err := l.candidates(ctx, target.node, known)
	if err != nil {
		return nil, err
	}
	failed := &DialError{Node: target.node}
	for _, addr := range candidates {
		c, err := l.dialOne(ctx, target, addr)
		if err == nil {
			return c, nil
		}
		failed.Attempts = append(failed.Attempts, err)
		if final(err) || ctx.Err() != nil {
			break
		}
	}
	l.cfg.Resolver.Invalidate(target.node)
	return nil, failed
}

// candidates are what discovery says and then what the caller knows. The error of
// discovery counts only if there is nothing else to try.
func (l *Links) candidates(ctx context.Context, node name.Node, known []name.Address) ([]name.Address, error) {
	found, err := l.cfg.Resolver.Addresses(ctx, node)
	all := slices.Clone(found)
	for _, addr := range known {
		if !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	if len(all) == 0 {
		if err == nil {
			err = errors.New("no endpoints known")
		}
		return nil, fmt.Errorf("link to %s: %w", node, err)
	}
	return all[:min(len(all), maxCandidates)], nil
}

func (l *Links) dialOne(ctx context.Context, target dialTarget, addr name.Address) (*conn, error) {
	reach, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	t, err := l.cfg.Transport.Dial(reach, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	c, err := l.shake(ctx, t, target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return c, nil
}

// final reports whether the right node answered and refused: another endpoint of it
// would say the same. A wrong node at the address is not final.
func final(err error) bool {
	var refusal *handshake.Refusal
	if !errors.As(err, &refusal) {
		return false
	}
	for _, elsewhere := range []error{handshake.ErrWrongNode, handshake.ErrBroken, handshake.ErrTimeout} {
		if errors.Is(err, elsewhere) {
			return false
		}
	}
	return true
}
