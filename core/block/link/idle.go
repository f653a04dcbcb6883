package link

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// sweepLoop looks for links that nobody uses, and forgets peers of which nothing is
// worth remembering.
func (l *Links) sweepLoop(ctx context.Context) {
	for pause(ctx, l.cfg.Sweep) {
		for _, c := range l.sweep() {
			_ = c.upkeep([]byte{ownIdle}, outboxSize) // a busy outbox means that it is in use
		}
	}
}

// sweep returns the links to propose for closing. Only this node thinks that nobody
// uses them; the peer agrees, or vetoes by its silence.
func (l *Links) sweep() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(time.Now())
	var idle []*conn
	for _, p := range l.peers {
		if p.current != nil && p.unused(l.cfg.IdleAfter) {
			idle = append(idle, p.current)
		}
	}
	return idle
}

// unused reports whether this side could do without the link in use. Callers hold l.mu.
func (p *peer) unused(after time.Duration) bool {
	return after > 0 && p.spare(0) && p.current.idle() >= after
}

// retreat takes a link out of use that nobody needs: from then on nothing is sent over
// it that its closing could lose. It reports whether the link is out of use, and whether
// it was before.
func (l *Links) retreat(c *conn, unneeded func(*peer) bool) (out, before bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[c.peer.Node]
	if p == nil || p.current != c || !unneeded(p) {
		return p != nil && c.retreated, true
	}
	p.leave(c)
	c.retreated = true
	return true, false
}

// onIdle agrees to a proposal to close a link that this side does not need either, and
// says so once. If the peer needs it by now, it is used again.
func (c *conn) onIdle(unneeded func(*peer) bool) {
	if out, before := c.links.retreat(c, unneeded); !out || before {
		return
	}
	_ = c.upkeep([]byte{ownAgreed}, outboxSize+upkeepRoom) // without it the peer does not close
	started := c.links.cfg.Tasks.Go("retreat", func(ctx context.Context) {
		if pause(ctx, 2*farewellWait) {
			c.links.comeBack(c)
		}
	})
	if !started {
		c.links.comeBack(c)
	}
}

// onAgreed closes a link that neither side needs, unless this side needs it by now.
func (c *conn) onAgreed() {
	out, _ := c.links.retreat(c, func(p *peer) bool {
		return p.unused(c.links.cfg.IdleAfter/2) || p.surplus() && p.spare(surplusAfter/2)
	})
	if out {
		c.goodbye(transport.CloseIdle, "nobody used the link")
	}
}

// comeBack uses a link again that the peer did not close after all.
func (l *Links) comeBack(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[c.peer.Node]; p != nil && c.retreated {
		p.revive()
	}
}
