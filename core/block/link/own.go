package link

import (
	"context"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// deliverOwn handles the frames by which two ends look after their link.
func (c *conn) deliverOwn(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("own frame: empty: %w", ErrFrame)
	}
	kind, body := body[0], body[1:]
	switch kind {
	case ownPing:
		return c.onPing(body)
	case ownPong:
		return c.onPong(body)
	case ownGoodbye:
		return c.onGoodbye(body)
	case ownIdle:
		c.onIdle(func(p *peer) bool { return p.unused(c.links.cfg.IdleAfter / 2) })
	case ownSurplus:
		c.onIdle(func(p *peer) bool { return p.spare(surplusAfter / 2) })
	case ownAgreed:
		c.onAgreed()
	case ownDrained:
		c.peerDrained.Store(true)
	}
	return nil // a later version's frame: not for us
}

func (c *conn) onPing(body []byte) error {
	id, err := parsePing(body)
	if err != nil {
		return err
	}
	_ = c.upkeep(pingFrame(ownPong, id), outboxSize) // a full outbox loses the answer; the asker has a deadline
	return nil
}

func (c *conn) onPong(body []byte) error {
	id, err := parsePing(body)
	if err != nil {
		return err
	}
	c.pingMu.Lock()
	defer c.pingMu.Unlock()
	if done := c.pings[id]; done != nil {
		close(done)
		delete(c.pings, id)
	}
	return nil
}

func (c *conn) onGoodbye(body []byte) error {
	code, reason, err := parseGoodbye(body)
	if err != nil {
		return err
	}
	said := &transport.CloseError{Remote: true, Code: transport.CloseCode(code), Reason: reason}
	c.farewell.CompareAndSwap(nil, said)
	_ = c.t.Close(said.Code, reason)
	return nil
}

// ping is one round trip over the control stream. An ordered one comes behind all
// frames that were sent before.
func (c *conn) ping(ctx context.Context, limit int, ordered bool) (time.Duration, error) {
	done := make(chan struct{})
	id := c.expectPong(done)
	defer c.forgetPong(id)
	begin := time.Now()
	if err := c.out.add(encodeFrame(Own, pingFrame(ownPing, id)), limit, ordered); err != nil {
		return 0, fmt.Errorf("ping %s: %w", c.peer.Node, err)
	}
	select {
	case <-done:
		return time.Since(begin), nil
	case <-c.gone:
		_, text := c.cause()
		return 0, fmt.Errorf("ping %s: link ended: %s: %w", c.peer.Node, text, ErrNoLink)
	case <-ctx.Done():
		return 0, fmt.Errorf("ping %s: no answer: %w", c.peer.Node, ctx.Err())
	}
}

func (c *conn) expectPong(done chan struct{}) uint64 {
	c.pingMu.Lock()
	defer c.pingMu.Unlock()
	if c.pings == nil {
		c.pings = map[uint64]chan struct{}{}
	}
	c.pingID++
	c.pings[c.pingID] = done
	return c.pingID
}

func (c *conn) forgetPong(id uint64) {
	c.pingMu.Lock()
	defer c.pingMu.Unlock()
	delete(c.pings, id)
}

// Ping measures one round trip through the link to node, opening one on demand. Until the
// answer is there the link is in use.
func (l *Links) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	var use *Stream
	dial := func() (*conn, error) { return l.get(ctx, node, nil, true) }
	err := l.onLink(ctx, dial, func(c *conn) error {
		var ok bool
		if use, ok = l.reserve(c, InUse); !ok {
			return fmt.Errorf("ping %s: %w", node, ErrNoLink)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	defer use.Release()
	return use.conn.ping(ctx, outboxSize, false)
}
