package transportmemory

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// window is how many bytes one direction of a stream holds before its writer waits.
const window = 128 << 10

var _ transport.Stream = (*stream)(nil)

// stream is one end of a stream. Everything is guarded by the lock of the wire.
type stream struct {
	end      *end
	peer     *stream
	in, out  *pipe // out is the peer's in
	opened   bool  // by this end
	known    bool  // the peer has been told of it
	drained  bool  // io.EOF was read
	finished bool  // nothing more can happen at this end
	err      error // reset, or the connection ended

	reading, writing deadline
}

// pipe is one direction of a stream.
type pipe struct {
	changed *sync.Cond
	unread  bytes.Buffer
	arrived int  // of unread, how much the reader may see
	closed  bool // by the writer
	ended   bool // the reader may see that it is closed
}

// newStream makes both ends of a stream that e opens. Called with the lock held.
func newStream(e *end) *stream {
	there, back := &pipe{changed: sync.NewCond(&e.wire.mu)}, &pipe{changed: sync.NewCond(&e.wire.mu)}
	s := &stream{end: e, in: back, out: there, opened: true}
	s.peer = &stream{end: e.peer, in: there, out: back, peer: s, known: true}
	s.reading.wake, s.writing.wake = back.changed, there.changed
	s.peer.reading.wake, s.peer.writing.wake = there.changed, back.changed
	e.wire.streams[s], e.wire.streams[s.peer] = struct{}{}, struct{}{}
	return s
}

func (s *stream) lock() func() {
	s.end.wire.mu.Lock()
	return s.end.wire.mu.Unlock
}

// Read reads what has arrived.
func (s *stream) Read(p []byte) (int, error) {
	defer s.lock()()
	for {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case s.in.arrived > 0 || len(p) == 0:
			return s.in.take(p), nil
		case s.in.ended:
			s.drained = true
			s.finish()
			return 0, io.EOF
		}
		s.in.changed.Wait()
	}
}

func (p *pipe) take(into []byte) int {
	n := copy(into, p.unread.Next(min(len(into), p.arrived)))
	p.arrived -= n
	p.changed.Broadcast()
	return n
}

// Write blocks while the window is full.
func (s *stream) Write(data []byte) (written int, err error) {
	defer s.lock()()
	for {
		if err := s.writable(); err != nil {
			return written, err
		}
		n := min(window-s.out.unread.Len(), len(data)-written)
		s.send(data[written : written+n])
		written += n
		if written == len(data) {
			return written, nil
		}
		s.out.changed.Wait()
	}
}

func (s *stream) writable() error {
	switch {
	case s.err != nil:
		return s.err
	case s.out.closed:
		return fmt.Errorf("write after CloseWrite: %w", io.ErrClosedPipe)
	case s.writing.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *stream) send(data []byte) {
	if len(data) == 0 {
		return
	}
	s.out.unread.Write(data)
	s.deliver(len(data), func() { s.out.arrived += len(data) })
}

// deliver lets something happen at the peer, which learns of the stream by it.
func (s *stream) deliver(size int, act func()) {
	s.end.wire.deliver(s.end, size, func() {
		act()
		s.announce()
		s.out.changed.Broadcast()
	})
}

func (s *stream) announce() {
	if s.known {
		return
	}
	s.known = true
	select {
	case s.peer.end.accepts <- s.peer:
	default:
		s.fail(&transport.ResetError{Remote: true, Code: transport.CloseBusy})
		s.peer.fail(&transport.ResetError{Code: transport.CloseBusy})
	}
}

// CloseWrite lets the peer read io.EOF after what was written.
func (s *stream) CloseWrite() error {
	defer s.lock()()
	if s.err != nil {
		return s.err
	}
	if s.out.closed {
		return nil
	}
	s.out.closed = true
	s.deliver(0, func() { s.out.ended = true })
	s.finish()
	return nil
}

// Reset gives the stream up in both directions.
func (s *stream) Reset(code transport.CloseCode) {
	defer s.lock()()
	if s.finished {
		return
	}
	s.fail(&transport.ResetError{Code: code})
	s.deliver(0, func() { s.peer.fail(&transport.ResetError{Remote: true, Code: code}) })
}

// fail ends this end of the stream. Called with the lock held.
func (s *stream) fail(err error) {
	if s.finished {
		return
	}
	s.err = err
	s.in.changed.Broadcast()
	s.out.changed.Broadcast()
	s.finish()
}

// finish sees whether this end is done with, and gives back what it held. Called with
// the lock held.
func (s *stream) finish() {
	if s.finished || s.err == nil && !(s.drained && s.out.closed) {
		return
	}
	s.finished = true
	s.reading.set(time.Time{})
	s.writing.set(time.Time{})
	delete(s.end.wire.streams, s)
	if s.opened {
		<-s.end.slots
	}
}

// SetReadDeadline bounds reads, those that wait included.
func (s *stream) SetReadDeadline(t time.Time) error {
	defer s.lock()()
	if !s.finished {
		s.reading.set(t)
	}
	return nil
}

// SetWriteDeadline bounds writes, those that wait included.
func (s *stream) SetWriteDeadline(t time.Time) error {
	defer s.lock()()
	if !s.finished {
		s.writing.set(t)
	}
	return nil
}

// deadline wakes those who wait for a pipe when it passes. Guarded by the lock of the
// wire.
type deadline struct {
	wake  *sync.Cond
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), func() {
			d.wake.L.Lock()
			defer d.wake.L.Unlock()
			d.wake.Broadcast()
		})
	}
	d.wake.Broadcast()
}
