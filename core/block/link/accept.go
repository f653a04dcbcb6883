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
	for {
		t, err := l.cfg.Transport.Accept(ctx)
		switch {
		case err == nil:
			l.admit(t)
		case ctx.Err() != nil:
			return
		case !errors.Is(err, transport.ErrClosed): // closed: it may be starting again
			l.cfg.Log.Warn("connection not accepted", "error", err)
			fallthrough
		default:
			if !pause(ctx, acceptPause) {
				return
			}
		}
	}
}

// acceptPause keeps a transport that fails at once from becoming a busy loop.
const acceptPause = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit runs the handshake of an inbound connection, unless too many are under way.
func (l *Links) admit(t transport.Conn) {
	host := t.Info().Remote.Host()
	if !l.enter(host) {
		_ = t.Close(transport.CloseBusy, "too many handshakes under way: try again later")
		return
	}
	started := l.cfg.Tasks.Go("handshake", func(ctx context.Context) {
		defer l.leave(host)
		l.acceptOne(ctx, t)
	})
	if !started {
		l.leave(host)
		_ = t.Close(transport.CloseStopping, "node stops")
	}
}

func (l *Links) enter(host string) bool {
	select {
	case l.pending <- struct{}{}:
	default:
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fromIP[host] >= maxPendingFromIP {
		<-l.pending
		return false
	}
	l.fromIP[host]++
	return true
}

func (l *Links) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	<-l.pending
	l.fromIP[host]--
	if l.fromIP[host] == 0 {
		delete(l.fromIP, host)
	}
}

func (l *Links) acceptOne(ctx context.Context, t transport.Conn) {
	c, err := l.shake(ctx, t, dialTarget{})
	if err != nil {
		return // told to the peer and to the observer
	}
	if _, err := l.join(c); err != nil {
		l.cfg.Observer.Refused(c.peer, false, err)
	}
}

// acceptStreams hands the streams that the peer opens to their handlers.
func (c *conn) acceptStreams(ctx context.Context) {
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
	kind, err := readStreamHeader(s, time.Now().Add(c.links.cfg.HandshakeTimeout))
	entry := c.links.streams[kind]
	if err != nil || entry.handle == nil || c.buried.Load() {
		s.Reset(transport.CloseProtocol)
		return
	}
	c.touch()
	counted := c.count(s, entry.use)
	defer counted.Release()
	entry.handle(ctx, c.peer, counted)
}
