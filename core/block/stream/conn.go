package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Conn is one end of a stream. It is a net.Conn, with CloseWrite. All methods are safe
// for concurrent use.
type Conn struct {
	streams *Streams
	stream  Stream
	tag     string
	node    name.Node // at the other end
	opened  bool      // by this node
	since   time.Time

	pending       atomic.Bool // nobody has accepted it
	read, written atomic.Uint64
	closed        chan struct{} // closed by Close

	reading, writing sync.Mutex // held by Read and Write
	mu               sync.Mutex
	over             bool // closed
	finished         bool // io.EOF was read
	writeClosed      bool
}

var _ net.Conn = (*Conn)(nil)

func (s *Streams) newConn(stream Stream, tag string, node name.Node, opened bool) *Conn {
	return &Conn{streams: s, stream: stream, tag: tag, node: node, opened: opened, since: time.Now(), closed: make(chan struct{})}
}

// Node is the node at the other end.
func (c *Conn) Node() name.Node { return c.node }

// Tag is the tag of the stream.
func (c *Conn) Tag() string { return c.tag }

// LocalAddr is this end.
func (c *Conn) LocalAddr() net.Addr { return Addr{Node: c.streams.cfg.Node, Tag: c.tag} }

// RemoteAddr is the other end.
func (c *Conn) RemoteAddr() net.Addr { return Addr{Node: c.node, Tag: c.tag} }

// Read reads; io.EOF when the other end has closed its writing side.
func (c *Conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.isOver() {
		return 0, net.ErrClosed
	}
	n, err := c.stream.Read(p)
	c.read.Add(uint64(n))
	return n, c.outcome(err)
}

// Write writes; it blocks while the other end does not read.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.isOver() || c.isWriteClosed() {
		return 0, net.ErrClosed
	}
	n, err := c.stream.Write(p)
	c.written.Add(uint64(n))
	return n, c.outcome(err)
}

// outcome is an error as the user of a net.Conn knows it.
func (c *Conn) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case err == io.EOF: //nolint:errorlint // readers return it bare, and must
		c.mu.Lock()
		c.finished = true
		c.mu.Unlock()
		return io.EOF
	case c.isOver():
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return fmt.Errorf("stream %q of %s: %w", c.tag, c.node, c.explain(err))
}

// explain says what kind of an end it was.
func (c *Conn) explain(err error) error {
	var reset *transport.ResetError
	kind := ErrLost
	if errors.As(err, &reset) {
		switch reset.Code {
		case codeRefused:
			kind = ErrRefused
		case codeDenied:
			kind = ErrDenied
		case codeBusy:
			kind = ErrBusy
		default:
			kind = ErrReset
		}
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func (c *Conn) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func (c *Conn) isWriteClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeClosed
}

// CloseWrite ends the writing side: the other end reads io.EOF behind what was written.
func (c *Conn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	done := c.over || c.writeClosed
	c.writeClosed = true
	c.mu.Unlock()
	if done {
		return nil
	}
	return c.stream.CloseWrite()
}

// Close ends both directions. What was written arrives; the other end learns, when it
// writes, that nobody reads. Idempotent.
func (c *Conn) Close() error {
	if !c.end() {
		return nil
	}
	c.writing.Lock()
	c.mu.Lock()
	done := c.writeClosed
	c.writeClosed = true
	c.mu.Unlock()
	var err error
	if !done {
		err = c.stream.CloseWrite()
	}
	c.writing.Unlock()
	if err != nil { // it has ended by other means
		c.stream.Reset(transport.CloseNone)
	}
	c.forget(err == nil)
	return nil
}

// end marks the stream as closed, and lets reads and writes that wait return.
func (c *Conn) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.over = true
	past := time.Unix(1, 0)
	_ = c.stream.SetReadDeadline(past) // fails only where reads do
	_ = c.stream.SetWriteDeadline(past)
	return true
}

// forget stops reading and gives the stream back. Where the transport cannot stop
// reading, what comes is read and thrown away.
func (c *Conn) forget(orderly bool) {
	c.streams.leave(c)
	c.mu.Lock()
	finished := c.finished
	c.mu.Unlock()
	if finished || !orderly || c.stream.StopRead(transport.CloseNone) || !c.streams.cfg.Tasks.Go("discard", c.discard) {
		c.stream.Release()
		close(c.closed)
	}
}

func (c *Conn) discard(ctx context.Context) {
	defer close(c.closed)
	defer c.stream.Release()
	defer context.AfterFunc(ctx, func() { c.stream.Reset(transport.CloseStopping) })()
	c.reading.Lock()
	defer c.reading.Unlock()
	if err := c.stream.SetReadDeadline(time.Time{}); err == nil {
		_, _ = io.Copy(io.Discard, c.stream) // until it ends, however that is
	}
}

// abort gives the stream up.
func (c *Conn) abort(code transport.CloseCode) {
	if c.end() {
		c.stream.Reset(code)
		c.forget(false)
	}
}

func (c *Conn) refuse(context.Context) { c.abort(codeRefused) }

// Reset gives the stream up in both directions: both ends lose what is on its way.
func (c *Conn) Reset() { c.abort(transport.CloseNone) }

// SetDeadline bounds reads and writes, those that wait included.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	return c.stream.SetReadDeadline(t)
}

// SetWriteDeadline bounds writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	return c.stream.SetWriteDeadline(t)
}
