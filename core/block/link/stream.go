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
	conn *conn
	use  Use
	once sync.Once
}

// Moved is closed when another connection to the peer has won: finish what you are
// writing, close, and open a new stream.
func (s *Stream) Moved() <-chan struct{} { return s.conn.draining }

// Ended is closed when the connection of the stream has ended.
func (s *Stream) Ended() <-chan struct{} { return s.conn.t.Context().Done() }

// Touch notes that the link is in use.
func (s *Stream) Touch() { s.conn.touch() }

// Release says that the stream is no longer open. Whoever called OpenStream must
// release the stream; releasing twice is fine.
func (s *Stream) Release() {
	s.once.Do(func() {
		s.conn.open.Add(-1)
		if s.use == InUse {
			s.conn.inUse.Add(-1)
		}
	})
}

// count makes a Stream of a transport's and counts it as open.
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
// mean that anybody needs the link.
const (
	Pooled Use = false
	InUse  Use = true
)

// OpenStream opens a stream of a kind to node, over the link that is there or over a
// new one. It blocks until the stream can be written or ctx ends.
func (l *Links) OpenStream(ctx context.Context, node name.Node, kind StreamKind, use Use) (*Stream, error) {
	c, err := l.get(ctx, node, nil, false)
	if err != nil {
		return nil, err
	}
	s, err := c.openStream(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("stream to %s: %w", node, err)
	}
	c.touch()
	return c.count(s, use), nil
}

func (c *conn) openStream(ctx context.Context, kind StreamKind) (transport.Stream, error) {
	s, err := c.t.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.Write([]byte{Version, byte(kind)}); err != nil {
		s.Reset(transport.CloseProtocol)
		return nil, err
	}
	return s, nil
}

func readStreamHeader(s transport.Stream, deadline time.Time) (StreamKind, error) {
	var head [2]byte
	if err := s.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return 0, err
	}
	if head[0] != Version {
		return 0, fmt.Errorf("stream header: version %d, want %d: %w", head[0], Version, ErrFrame)
	}
	return StreamKind(head[1]), s.SetReadDeadline(time.Time{})
}
