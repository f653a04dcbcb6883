package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// openHere opens a stream to a listener of this node itself: two ends of a pipe that
// holds no less than a link would.
func (s *Streams) openHere(tag string) (*Conn, error) {
	there, back := newPipe(), newPipe()
	near := &pipeEnd{in: back, out: there}
	far := &pipeEnd{in: there, out: back}
	c := s.newConn(near, tag, s.cfg.Node, true)
	if !s.enter(c) {
		return nil, fmt.Errorf("stream to %s: this node is stopping: %w", s.cfg.Node, ErrLost)
	}
	if _, err := near.Write(append([]byte{byte(len(tag))}, tag...)); err != nil {
		return nil, err
	}
	if !s.cfg.Tasks.Go("stream", func(ctx context.Context) { s.Receive(ctx, s.cfg.Node, far) }) {
		c.abort(transport.CloseStopping)
		return nil, fmt.Errorf("stream to %s: this node is stopping: %w", s.cfg.Node, ErrLost)
	}
	return c, nil
}

// pipeEnd is one end of a stream within a node.
type pipeEnd struct{ in, out *pipe }

func (e *pipeEnd) Read(p []byte) (int, error)         { return e.in.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error)        { return e.out.write(p) }
func (e *pipeEnd) CloseWrite() error                  { return e.out.finish() }
func (e *pipeEnd) SetReadDeadline(t time.Time) error  { e.in.reader.set(e.in, t); return nil }
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { e.out.writer.set(e.out, t); return nil }
func (e *pipeEnd) Ended() <-chan struct{}             { return nil }
func (e *pipeEnd) Release()                           {}

// StopRead lets the writer know.
func (e *pipeEnd) StopRead(code transport.CloseCode) bool {
	e.in.fail(&transport.ResetError{Remote: true, Code: code})
	return true
}

// Reset gives both directions up.
func (e *pipeEnd) Reset(code transport.CloseCode) {
	e.in.fail(&transport.ResetError{Remote: true, Code: code})
	e.out.fail(&transport.ResetError{Remote: true, Code: code})
}

const pipeSize = 512 << 10

// pipe is one direction.
type pipe struct {
	mu             sync.Mutex
	changed        *sync.Cond
	unread         []byte
	closed         bool
	err            error
	reader, writer deadline
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed = sync.NewCond(&p.mu)
	return p
}
