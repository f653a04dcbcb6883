package transportquic

import (
	"net"
	"os"
	"sync"
	"time"
)

// tunnel is a packet connection of a Path that can be put in place of another, under a
// connection of QUIC that knows nothing of it: QUIC gives a connection up with any packet
// connection that it has ever used, and sends to one place as long as it lasts. What finds
// no way through is lost, as it would be further on. Packets are read and sent one by one.
type tunnel struct {
	far net.Addr // where QUIC believes that it sends to

	mu      sync.Mutex
	changed *sync.Cond
	way     *packetWay // nil: nothing passes
	local   net.Addr
	over    bool // nobody reads any more
}

// packetWay is a packet connection, and where to send on it.
type packetWay struct {
	net.PacketConn
	to net.Addr
}

// newWay makes a way of what a Path has made. A deadline that it has left behind, as of a
// handshake of its own, is lifted: it would be met again and again.
func newWay(socket net.PacketConn, to net.Addr) *packetWay {
	_ = socket.SetDeadline(time.Time{}) // one that knows none has none to lift
	return &packetWay{socket, to}
}

func newTunnel(w *packetWay, far net.Addr) *tunnel {
	t := &tunnel{far: far, way: w, local: w.LocalAddr()}
	t.changed = sync.NewCond(&t.mu)
	return t
}

// put lets packets pass by a way, nil for none, and closes the one before. With old it
// does so only in place of that one.
func (t *tunnel) put(w, old *packetWay) {
	t.mu.Lock()
	before := t.way
	if old != nil && before != old {
		t.mu.Unlock()
		return
	}
	if t.way = w; w != nil {
		t.local = w.LocalAddr()
	}
	t.changed.Broadcast()
	t.mu.Unlock()
	if before != nil {
		_ = before.Close() // nothing is awaited from it
	}
}

// next waits for a way; nil when nobody reads any more.
func (t *tunnel) next() *packetWay {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.way == nil && !t.over {
		t.changed.Wait()
	}
	if t.over {
		return nil
	}
	return t.way
}

// ReadFrom reads the next packet. A way that breaks is none any more.
func (t *tunnel) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		w := t.next()
		if w == nil {
			return 0, nil, os.ErrDeadlineExceeded
		}
		n, _, err := w.PacketConn.ReadFrom(p)
		if err == nil {
			return n, t.far, nil
		}
		if passing, ok := err.(net.Error); !ok || !passing.Timeout() { //nolint:errorlint // as the system says it
			t.put(nil, w)
		}
	}
}

// WriteTo sends a packet, or loses it.
func (t *tunnel) WriteTo(p []byte, _ net.Addr) (int, error) {
	t.mu.Lock()
	w := t.way
	t.mu.Unlock()
	if w != nil {
		_, _ = w.PacketConn.WriteTo(p, w.to) // see above
	}
	return len(p), nil
}

// LocalAddr is that of the way, or of the last one.
func (t *tunnel) LocalAddr() net.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.local
}

// SetReadDeadline with a time, which is past, ends reading: QUIC does so to close.
func (t *tunnel) SetReadDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = !at.IsZero()
	t.changed.Broadcast()
	if t.way != nil {
		return t.way.SetReadDeadline(at)
	}
	return nil
}

// SetDeadline is not used by QUIC.
func (t *tunnel) SetDeadline(at time.Time) error { return t.SetReadDeadline(at) }

// SetWriteDeadline does nothing: writing does not wait.
func (t *tunnel) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer leaves it to the maker of the way.
func (t *tunnel) SetReadBuffer(int) error { return nil }

// SetWriteBuffer leaves it to the maker of the way.
func (t *tunnel) SetWriteBuffer(int) error { return nil }

// Close closes the way.
func (t *tunnel) Close() error {
	t.put(nil, nil)
	return nil
}
