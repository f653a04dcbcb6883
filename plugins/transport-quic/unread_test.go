package transportquic

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// open opens a stream and lets the peer see it. Both ends have a deadline.
func open(t *testing.T, here, there transport.Conn) (near, far transport.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	near, err := here.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(plugintest.Patience)
	_, err = near.Write([]byte{1})
	if err = errors.Join(err, near.SetReadDeadline(deadline), near.SetWriteDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	far, err = there.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(far.SetReadDeadline(deadline), far.SetWriteDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// fill writes until the window is full, and returns how much went into it.
func fill(t *testing.T, s transport.Stream, within time.Duration) int {
	t.Helper()
	if err := s.SetWriteDeadline(time.Now().Add(within)); err != nil {
		t.Error(err)
	}
	n, err := s.Write(make([]byte, 2*streamWindowMax))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a stream that nobody reads took %d bytes: %v", n, err)
	}
	return n
}

// flows checks that a stream still carries something.
func flows(t *testing.T, from, to transport.Stream) {
	t.Helper()
	const size = 64 << 10
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		if _, err := from.Write(make([]byte, size)); err != nil {
			t.Error(err)
		}
	})
	if n, err := io.ReadFull(to, make([]byte, size)); err != nil {
		t.Errorf("%d bytes of %d came beside streams that stand still: %v", n, size, err)
	}
}

// As many streams as the contract says stand unread, and another goes on, whoever has
// opened them.
func TestUnreadStreamsDoNotHoldOthersUp(t *testing.T) {
	t.Parallel()
	here, there := connect(t, start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil))
	var stuck sync.WaitGroup
	for i := range transport.UnreadStreams { // what goes to one end: on its own streams, and on those of the other
		var from transport.Stream
		if i%2 == 0 {
			from, _ = open(t, here, there)
		} else {
			_, from = open(t, there, here)
		}
		t.Cleanup(func() { from.Reset(transport.CloseNone) })
		stuck.Go(func() { fill(t, from, 2*time.Second) })
	}
	stuck.Wait()
	opened, accepted := open(t, here, there)
	flows(t, opened, accepted)
}

// late is a packet connection whose packets take a while.
type late struct {
	net.PacketConn
	way  chan latePacket
	over chan struct{} // closed: nothing more is sent
}

type latePacket struct {
	data []byte
	to   net.Addr
	due  time.Time
}

const (
	lateness = 4 * time.Millisecond
	underWay = 4096 // packets; more are lost
)

func newLate(inner net.PacketConn) *late {
	l := &late{PacketConn: inner, way: make(chan latePacket, underWay), over: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-l.way:
				time.Sleep(time.Until(p.due))
				_, _ = l.PacketConn.WriteTo(p.data, p.to)
			case <-l.over:
				return
			}
		}
	}()
	return l
}

func (l *late) WriteTo(p []byte, to net.Addr) (int, error) {
	select {
	case l.way <- latePacket{append([]byte(nil), p...), to, time.Now().Add(lateness)}:
	default:
	}
	return len(p), nil
}

func (l *late) SetReadBuffer(int) error  { return nil }
func (l *late) SetWriteBuffer(int) error { return nil }

// Streams whose windows have grown, because they were read fast over some distance, hold
// nobody up either when they stand still.
func TestStreamsThatWereFastDoNotHoldOthersUp(t *testing.T) {
	t.Parallel()
	from := build(t, plugintest.Env(t, "a@127.0.0.1"), nil)
	listen := from.open
	from.open = func(ctx context.Context) (net.PacketConn, error) {
		socket, err := listen(ctx)
		if err != nil {
			return nil, err
		}
		l := newLate(socket)
		t.Cleanup(func() { close(l.over) })
		return l, nil
	}
	run(t, from)
	here, there := connect(t, from, start(t, "b@127.0.0.1", nil))
	const stuck, size = 16, 2 * streamWindowMax
	unread := 0
	for range stuck {
		near, far := open(t, here, there)
		t.Cleanup(func() { near.Reset(transport.CloseNone) })
		var writing sync.WaitGroup
		writing.Go(func() {
			if _, err := near.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
		})
		if _, err := io.ReadFull(far, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		writing.Wait()
		unread += fill(t, near, 100*time.Millisecond)
	}
	t.Logf("%d KiB are unread, which is more than %d if the streams were fast", unread>>10, stuck*streamWindow>>10)
	near, far := open(t, here, there)
	flows(t, near, far)
}
