package wire

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// transportStream is the host half of one stream. Everything below mu is guarded by it.
type transportStream struct {
	conn *transportConn
	id   uint32

	mu      sync.Mutex
	changed *sync.Cond

	in       []byte // arrived and not read
	taken    int    // read, and credit not given back for it
	finished bool   // the peer writes no more
	readErr  error
	readBy   deadline

	credit   int  // bytes that may be written
	closed   bool // by CloseWrite
	writing  bool // a Write is under way
	writeErr error
	writeBy  deadline
}

var (
	_ transport.Stream      = (*transportStream)(nil)
	_ transport.ReadStopper = (*transportStream)(nil)
	_ transport.TryWriter   = (*transportStream)(nil)
)

func (c *transportConn) newStream(id uint32) *transportStream {
	s := &transportStream{conn: c, id: id, credit: window}
	s.changed = sync.NewCond(&s.mu)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[id] = s
	c.peers += ofPeer(id)
	return s
}

func (s *transportStream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// handle takes a frame of the plugin about this stream.
func (s *transportStream) handle(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	defer s.release()
	switch f.kind {
	case transportv1.Kind_DATA:
		if len(s.in)+s.taken+len(f.payload) > window {
			return malformed("more bytes on a stream than there was credit for")
		}
		if s.readErr == nil {
			s.in = append(s.in, f.payload...)
		}
	case transportv1.Kind_FIN:
		s.finished = true
	case transportv1.Kind_CREDIT:
		credit := &transportv1.Credit{}
		if err := f.into(credit); err != nil {
			return err
		}
		s.credit = min(window, s.credit+int(min(credit.GetBytes(), window)))
	case transportv1.Kind_RESET:
		reset := &transportv1.Reset{}
		if err := f.into(reset); err != nil {
			return err
		}
		err := &transport.ResetError{Remote: reset.GetRemote(), Code: transport.CloseCode(reset.GetCode())}
		s.giveUp(err, reset.GetRead(), reset.GetWrite())
	}
	return nil
}

// giveUp ends one direction or both, unless they have ended. Called with the lock held.
func (s *transportStream) giveUp(err error, read, write bool) {
	if read && s.readErr == nil {
		s.readErr, s.in = err, nil
	}
	if write && s.writeErr == nil {
		s.writeErr = err
	}
}

// release lets go of a stream of which nothing more comes. Called with the lock held.
func (s *transportStream) release() {
	if (s.finished || s.readErr != nil) && (s.closed || s.writeErr != nil) {
		s.conn.forget(s.id)
	}
}

func (c *transportConn) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[id] != nil {
		delete(c.streams, id)
		c.peers -= ofPeer(id)
	}
}

// ofPeer is 1 for the number of a stream that the peer has opened.
func ofPeer(id uint32) int { return int(id % 2) }

// Read reads what has arrived.
func (s *transportStream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readErr != nil:
			return 0, s.readErr
		case s.conn.ctx.Err() != nil:
			return 0, s.conn.cause()
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.in) > 0 || len(p) == 0:
			return s.take(p), nil
		case s.finished:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// take hands bytes out and gives credit for them.
func (s *transportStream) take(p []byte) int {
	n := copy(p, s.in)
	s.in = s.in[n:]
	if len(s.in) == 0 {
		s.in = nil
	}
	if s.taken += n; s.taken >= giveCredit && !s.finished {
		s.conn.framer.say(transportv1.Kind_CREDIT, s.id, &transportv1.Credit{Bytes: uint32(s.taken)})
		s.taken = 0
	}
	return n
}

// Write blocks while there is no credit.
func (s *transportStream) Write(p []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = true
	defer func() { s.writing = false }()
	for {
		if err := s.writable(); err != nil {
			return written, err
		}
		written += s.put(p[written:])
		if written == len(p) {
			return written, nil
		}
		s.changed.Wait()
	}
}

func (s *transportStream) writable() error {
	switch {
	case s.writeErr != nil:
		return s.writeErr
	case s.conn.ctx.Err() != nil:
		return s.conn.cause()
	case s.closed:
		return fmt.Errorf("write after CloseWrite: %w", io.ErrClosedPipe)
	case s.writeBy.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// put sends what there is credit for.
func (s *transportStream) put(p []byte) (sent int) {
	p = p[:min(len(p), s.credit)]
	s.credit -= len(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), frameMost)
		s.conn.framer.send(transportv1.Kind_DATA, s.id, rest[:n])
		rest = rest[n:]
	}
	return len(p)
}

// TryWrite takes all that there is credit for at once, or nothing.
func (s *transportStream) TryWrite(p []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil || s.writing || len(p) > s.credit {
		return false, err
	}
	s.put(p)
	return true, nil
}

// CloseWrite ends the sending side in good order.
func (s *transportStream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return s.writeErr
	}
	if !s.closed {
		s.closed = true
		s.conn.framer.send(transportv1.Kind_FIN, s.id, nil)
		s.changed.Broadcast()
		s.release()
	}
	return nil
}

// Reset gives the stream up in both directions.
func (s *transportStream) Reset(code transport.CloseCode) {
	s.abandon(code, &transportv1.Reset{Read: true, Write: true, Code: uint32(code)}, true)
}

// StopRead gives the reading side up.
func (s *transportStream) StopRead(code transport.CloseCode) {
	s.abandon(code, &transportv1.Reset{Write: true, Code: uint32(code)}, false)
}

func (s *transportStream) abandon(code transport.CloseCode, said *transportv1.Reset, both bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	if s.readErr == nil || both && s.writeErr == nil {
		s.conn.framer.say(transportv1.Kind_RESET, s.id, said)
	}
	s.giveUp(&transport.ResetError{Code: code}, true, both)
	s.release()
}

// SetReadDeadline sets it anew.
func (s *transportStream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy.set(t, s.wake)
	s.changed.Broadcast()
	return nil
}

// SetWriteDeadline sets it anew.
func (s *transportStream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBy.set(t, s.wake)
	s.changed.Broadcast()
	return nil
}

// deadline is a point in time at which somebody is woken.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) set(at time.Time, wake func()) {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.timer = at, nil
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), wake)
	}
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }
