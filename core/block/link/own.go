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
		c.onIdle()
	}
	return nil // a later version's frame: not for us
}

func (c *conn) onPing(body []byte) error {
	id, err := parsePing(body)
	if err != nil {
		return err
	}
	_ = c.send(Own, pingFrame(ownPong, id)) // a full outbox loses the answer; the asker has a deadline
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

// onIdle agrees to a proposal to close a link that this side does not need either.
func (c *conn) onIdle() {
	if c.links.mayClose(c, c.links.cfg.IdleAfter/2) {
		c.goodbye(transport.CloseIdle, "nobody used the link")
	}
}

// ping is one round trip over the control stream.
func (c *conn) ping(ctx context.Context) (time.Duration, error) {
	done := make(chan struct{})
	c.pingMu.Lock()
	c.pingID++
	id := c.pingID
	c.pings[id] = done
	c.pingMu.Unlock()
	defer func() {
		c.pingMu.Lock()
		delete(c.pings, id)
		c.pingMu.Unlock()
	}()
	begin := time.Now()
	if err := c.send(Own, pingFrame(ownPing, id)); err != nil {
		return 0, err
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

// Ping measures one round trip through the link to node, opening one on demand.
func (l *Links) Ping(ctx context.Context, node name.Node) (time.Duration, error) {
	c, err := l.get(ctx, node, nil, true)
	if err != nil {
		return 0, err
	}
	return c.ping(ctx)
}
