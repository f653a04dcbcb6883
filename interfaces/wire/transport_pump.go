package wire

import (
	"errors"
	"io"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// carriedStream is the plugin half of one stream: two goroutines that move its bytes,
// one for each direction. Everything below mu is guarded by it.
type carriedStream struct {
	conn   *carried
	id     uint32
	stream transport.Stream

	mu      sync.Mutex
	changed *sync.Cond
	in      []byte // of the host, not written yet
	fin     bool   // the host writes no more
	credit  int    // bytes that the host takes
	deaf    bool   // the host reads no more
	dead    bool   // nothing moves any more
}

// register has a stream take frames of the host, which is before the host can send any.
func (c *carried) register(id uint32, stream transport.Stream) *carriedStream {
	s := &carriedStream{conn: c, id: id, stream: stream, credit: window}
	s.changed = sync.NewCond(&s.mu)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[id] = s
	delete(c.opening, id)
	s.dead = c.ctx.Err() != nil
	return s
}

func (s *carriedStream) forget() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.conn.streams, s.id)
}

// start moves the bytes of a stream until both directions have ended.
func (s *carriedStream) start() {
	up := make(chan struct{})
	s.conn.running.Go(func() { defer close(up); s.up() })
	s.conn.running.Go(func() {
		s.down()
		<-up
		s.forget()
	})
}

func (s *carriedStream) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	s.changed.Broadcast()
}

// handle takes a frame of the host about this stream.
func (s *carriedStream) handle(f frame) error {
	switch f.kind {
	case transportv1.Kind_DATA, transportv1.Kind_FIN:
		return s.feed(f)
	case transportv1.Kind_CREDIT:
		credit := &transportv1.Credit{}
		if err := f.into(credit); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.credit = min(window, s.credit+int(min(credit.GetBytes(), window)))
		s.changed.Broadcast()
	case transportv1.Kind_RESET:
		reset := &transportv1.Reset{}
		if err := f.into(reset); err != nil {
			return err
		}
		s.reset(reset)
	}
	return nil
}

func (s *carriedStream) feed(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in)+len(f.payload) > window {
		return malformed("more bytes on a stream than there was credit for")
	}
	if s.fin = s.fin || f.kind == transportv1.Kind_FIN; !s.dead {
		s.in = append(s.in, f.payload...)
	}
	s.changed.Broadcast()
	return nil
}

func (s *carriedStream) reset(said *transportv1.Reset) {
	code := transport.CloseCode(said.GetCode())
	if said.GetRead() {
		s.stream.Reset(code)
		s.die()
		return
	}
	if stopper, ok := s.stream.(transport.ReadStopper); ok {
		stopper.StopRead(code)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true // a stream that cannot be stopped is read to its end
	s.changed.Broadcast()
}

// up writes what the host has sent.
func (s *carriedStream) up() {
	for {
		chunk, more := s.next()
		if !more {
			return
		}
		if chunk == nil {
			_ = s.stream.CloseWrite() // if it fails, reading says why
			return
		}
		for len(chunk) > 0 {
			n, err := s.stream.Write(chunk[:min(len(chunk), frameMost)])
			if err != nil {
				s.broken(err, &transportv1.Reset{Write: true})
				return
			}
			chunk = chunk[n:]
			s.conn.framer.say(transportv1.Kind_CREDIT, s.id, &transportv1.Credit{Bytes: uint32(n)})
		}
	}
}

// next waits for bytes of the host; nil for its end, false if there is nothing to do
// any more.
func (s *carriedStream) next() (chunk []byte, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.dead:
			return nil, false
		case len(s.in) > 0:
			chunk, s.in = s.in, nil
			return chunk, true
		case s.fin:
			return nil, true
		}
		s.changed.Wait()
	}
}

// down reads what the peer has sent, as far as the host has given credit.
func (s *carriedStream) down() {
	buffer := make([]byte, frameMost/2)
	for {
		most := s.allowed(len(buffer))
		if most == 0 {
			return
		}
		n, err := s.stream.Read(buffer[:most])
		if n > 0 && s.spend(n) {
			s.conn.framer.send(transportv1.Kind_DATA, s.id, buffer[:n])
		}
		switch {
		case errors.Is(err, io.EOF):
			s.conn.framer.send(transportv1.Kind_FIN, s.id, nil)
			return
		case err != nil:
			s.broken(err, &transportv1.Reset{Read: true})
			return
		}
	}
}

// allowed waits until bytes may be read; 0 if there is nothing to do any more.
func (s *carriedStream) allowed(most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.dead:
			return 0
		case s.deaf:
			return most
		case s.credit > 0:
			return min(most, s.credit)
		}
		s.changed.Wait()
	}
}

// spend reports whether the host wants the bytes.
func (s *carriedStream) spend(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit -= n
	return !s.deaf
}

// broken tells the host that a direction was given up. That the connection has ended it
// learns otherwise.
func (s *carriedStream) broken(err error, said *transportv1.Reset) {
	if reset, ok := errors.AsType[*transport.ResetError](err); ok {
		said.Remote, said.Code = reset.Remote, uint32(reset.Code)
		s.conn.framer.say(transportv1.Kind_RESET, s.id, said)
	}
}
