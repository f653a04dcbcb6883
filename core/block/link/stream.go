package link

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Stream is a stream on a link. Besides what every stream does it tells when its
// connection is no longer the one to use.
type Stream struct {
	transport.Stream
	conn  *conn
	moved <-chan struct{}
	use   Use
	once  sync.Once
}

// Moved is closed when another connection to the peer has won: finish what you are
// writing, close, and open a new stream.
func (s *Stream) Moved() <-chan struct{} { return s.moved }

// Ended is closed when the connection of the stream has ended.
func (s *Stream) Ended() <-chan struct{} { return s.conn.t.Context().Done() }

// Touch notes that the link is in use.
func (s *Stream) Touch() { s.conn.touch() }

// TryWrite takes all of p or nothing, and never blocks. Where the transport cannot do
// that it takes nothing.
func (s *Stream) TryWrite(p []byte) (bool, error) {
	if writer, ok := s.Stream.(transport.TryWriter); ok {
		return writer.TryWrite(p)
	}
	return false, nil
}

// StopRead ends the reading side alone, and reports false where the transport cannot.
func (s *Stream) StopRead(code transport.CloseCode) bool {
	stopper, ok := s.Stream.(transport.ReadStopper)
	if ok {
		stopper.StopRead(code)
	}
	return ok
}

// Release says that the stream is no longer open: what was written has been read, or
// nobody cares any more. A connection that another one has replaced is closed when all
// its streams have been released. Whoever called OpenStream must release the stream;
// releasing twice is fine.
func (s *Stream) Release() {
	s.once.Do(func() {
		s.conn.open.Add(-1)
		if s.use == InUse {
			s.conn.inUse.Add(-1)
		}
	})
}

// count makes a Stream that counts as open.
func (c *conn) count(s transport.Stream, use Use) *Stream {
	c.open.Add(1)
	if use == InUse {
		c.inUse.Add(1)
	}
	return &Stream{Stream: s, conn: c, use: use}
}

// Use says whether an open stream keeps its link from being collected as idle.
type Use bool

// The uses. A pooled stream is kept open for the next message; it does not by itself
// mean that anybody needs the link, and its owner closes it when it is not used.
const (
	Pooled Use = false
	InUse  Use = true
)

// OpenStream opens a stream of a kind to node, over the link that is there or over a
// new one. It blocks until the stream can be written or ctx ends.
func (l *Links) OpenStream(ctx context.Context, node name.Node, kind StreamKind, use Use) (*Stream, error) {
	return l.openVia(ctx, node, kind, use, func() (*conn, error) { return l.get(ctx, node, nil, false) })
}

// OpenOn is OpenStream over the link that is there: without one it does not dial but
// returns ErrNoLink.
func (l *Links) OpenOn(ctx context.Context, node name.Node, kind StreamKind, use Use) (*Stream, error) {
	return l.openVia(ctx, node, kind, use, func() (*conn, error) {
		if c := l.current(node); c != nil {
			return c, nil
		}
		return nil, fmt.Errorf("stream to %s: %w", node, ErrNoLink)
	})
}

func (l *Links) openVia(ctx context.Context, node name.Node, kind StreamKind, use Use, pick func() (*conn, error)) (s *Stream, err error) {
	err = l.onLink(ctx, pick, func(c *conn) (err error) {
		if s, err = l.claim(ctx, c, kind, use); err != nil {
			return fmt.Errorf("stream to %s: %w", node, err)
		}
		return nil
	})
	return s, err
}

// onLink does something with the connection that pick gives, and again with another if
// the first ended, or lost, at this very moment.
func (l *Links) onLink(ctx context.Context, pick func() (*conn, error), do func(*conn) error) error {
	const tries = 3
	var err error
	for range tries {
		c, failed := pick()
		if failed != nil {
			return failed
		}
		if err = do(c); err == nil || !l.leaving(ctx, c) {
			return err
		}
	}
	return err
}

// claim opens a stream if c is still the connection to use. It is counted before
// anybody can see the connection without streams and close it.
func (l *Links) claim(ctx context.Context, c *conn, kind StreamKind, use Use) (*Stream, error) {
	s, ok := l.reserve(c, use)
	if !ok {
		return nil, ErrNoLink
	}
	t, err := c.openStream(ctx, kind)
	if err != nil {
		s.Release()
		return nil, err
	}
	s.Stream = t
	c.touchBy(kind.ofNeighbours())
	return s, nil
}

func (l *Links) reserve(c *conn, use Use) (*Stream, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[c.peer.Node]; p == nil || p.current != c {
		return nil, false
	}
	s := c.count(nil, use)
	s.moved = c.moved
	return s, true
}

// leaving reports whether c is not the connection to use any more, and waits for its
// end to be known if it has ended.
func (l *Links) leaving(ctx context.Context, c *conn) bool {
	if c.ended() {
		select {
		case <-c.gone:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil && l.current(c.peer.Node) != c
}

func (c *conn) openStream(ctx context.Context, kind StreamKind) (transport.Stream, error) {
	s, err := c.t.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { s.Reset(transport.CloseNone) })()
	if _, err := s.Write([]byte{Version, byte(kind)}); err != nil {
		s.Reset(transport.CloseProtocol)
		return nil, err
	}
	return s, nil
}

func readStreamHeader(s transport.Stream, deadline time.Time) (StreamKind, error) {
	if err := s.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	kind, err := parseStreamHeader(s)
	if err != nil {
		return 0, err
	}
	return kind, s.SetReadDeadline(time.Time{})
}

func parseStreamHeader(r io.Reader) (StreamKind, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	if head[0] != Version {
		return 0, fmt.Errorf("stream header: version %d, want %d: %w", head[0], Version, ErrFrame)
	}
	return StreamKind(head[1]), nil
}
