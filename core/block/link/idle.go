package link

import (
	"context"
	"time"
)

// sweepLoop looks for links that nobody uses, and forgets peers of which nothing is
// worth remembering.
func (l *Links) sweepLoop(ctx context.Context) {
	ticker := time.NewTicker(l.cfg.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range l.sweep() {
				_ = c.send(Own, []byte{ownIdle}) // a busy outbox means that it is in use
			}
		case <-ctx.Done():
			return
		}
	}
}

// sweep returns the links to propose for closing. Only this node thinks that nobody
// uses them; the peer agrees by closing, or vetoes by not doing so.
func (l *Links) sweep() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var idle []*conn
	for node, p := range l.peers {
		if p.current == nil && p.flight == nil && len(p.conns) == 0 && !p.held && time.Now().After(p.notBefore) {
			delete(l.peers, node)
		}
		if p.current != nil && !p.held && l.unused(p.current, l.cfg.IdleAfter) {
			idle = append(idle, p.current)
		}
	}
	return idle
}

func (l *Links) unused(c *conn, after time.Duration) bool {
	return after > 0 && c.inUse.Load() == 0 && c.idle() >= after
}

// mayClose says whether this side could do without a link that has been idle for at
// least the given time.
func (l *Links) mayClose(c *conn, after time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[c.peer.Node]
	return p != nil && !p.held && l.unused(c, after)
}
