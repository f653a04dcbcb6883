package link

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// acceptLoop takes connections as fast as they come; what costs time happens in a
// bounded number of goroutines.
func (l *Links) acceptLoop(ctx context.Context) {
	for ctx.Err() == nil {
		t, err := l.cfg.Transport.Accept(ctx)
		if err == nil {
			l.admit(t)
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, transport.ErrClosed) { // closed: it may be starting again
			l.cfg.Log.Warn("connection not accepted", "error", err)
		}
		pause(ctx, acceptPause)
	}
}

// acceptPause keeps a transport that fails at once from becoming a busy loop.
const acceptPause = 100 * time.Millisecond

// pause returns true when d has passed, false when ctx has ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// admit runs the handshake of an inbound connection, unless too many are under way.
func (l *Links) admit(t transport.Conn) {
	k := l.gate.enter(t)
	if k == nil {
		turnAway(t)
		return
	}
	started := l.cfg.Tasks.Go("handshake", func(ctx context.Context) {
		if c, err := l.greetIn(ctx, t, k); err == nil {
			l.acceptOne(ctx, c)
		}
	})
	if !started {
		k.leave()
		_ = t.Close(transport.CloseStopping, "node stops")
	}
}

// greetIn runs the handshake; a failure has been told to the peer and to the observer.
func (l *Links) greetIn(ctx context.Context, t transport.Conn, k *ticket) (*conn, error) {
	defer k.leave()
	return l.shake(ctx, t, dialTarget{}, k.greet)
}

func (l *Links) acceptOne(ctx context.Context, c *conn) {
	if _, err := l.join(ctx, c); err != nil && ctx.Err() == nil {
		l.cfg.Observer.Refused(c.peer, false, err)
	}
}

// acceptStreams hands the streams that the peer opens to their handlers.
func (c *conn) acceptStreams(context.Context) {
	for {
		s, err := c.t.AcceptStream(c.t.Context())
		if err != nil {
			return
		}
		started := c.links.cfg.Tasks.Go("stream", func(ctx context.Context) { c.serveStream(ctx, s) })
		if !started {
			s.Reset(transport.CloseStopping)
		}
	}
}

func (c *conn) serveStream(ctx context.Context, s transport.Stream) {
	c.open.Add(1) // from its first byte on: a connection with an unread stream has not drained
	defer c.open.Add(-1)
	kind, err := readStreamHeader(s, time.Now().Add(c.links.cfg.HandshakeTimeout))
	entry := c.links.streams[kind]
	if err != nil || entry.handle == nil || c.buried.Load() {
		s.Reset(transport.CloseProtocol)
		return
	}
	c.touchBy(kind.ofNeighbours())
	counted := c.count(s, entry.use)
	counted.moved = c.t.Context().Done() // it is the peer's to move
	defer counted.Release()
	entry.handle(ctx, c.peer, counted)
}
