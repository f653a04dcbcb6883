package transportquic

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// forwarder passes packets on to one place, from a socket of its own for each that sends
// some, and what comes there back to that one.
type forwarder struct {
	front   net.PacketConn
	backs   map[string]net.PacketConn // of the loop of front
	passed  atomic.Int32
	running sync.WaitGroup
	once    sync.Once
}

func newForwarder(t *testing.T, to net.Addr) *forwarder {
	t.Helper()
	f := &forwarder{front: loopback(t), backs: map[string]net.PacketConn{}}
	f.running.Go(func() {
		pump(f.front, func(p []byte, from net.Addr) {
			f.passed.Add(1)
			_, _ = f.back(t, from).WriteTo(p, to)
		})
		for _, back := range f.backs {
			_ = back.Close()
		}
	})
	t.Cleanup(f.close)
	return f
}

func (f *forwarder) back(t *testing.T, from net.Addr) net.PacketConn {
	back := f.backs[from.String()]
	if back == nil {
		back = loopback(t)
		f.backs[from.String()] = back
		f.running.Go(func() {
			pump(back, func(p []byte, _ net.Addr) { _, _ = f.front.WriteTo(p, from) })
		})
	}
	return back
}

func (f *forwarder) close() {
	f.once.Do(func() { _ = f.front.Close() })
	f.running.Wait()
}

func pump(from net.PacketConn, do func([]byte, net.Addr)) {
	buf := make([]byte, 2048)
	for {
		n, sender, err := from.ReadFrom(buf)
		if err != nil {
			return
		}
		do(buf[:n], sender)
	}
}

func loopback(t *testing.T) net.PacketConn {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
	}
	return socket
}

// swapper is a path that leads where a test says, and what goes over it.
type swapper struct {
	t     *testing.T
	to    net.Addr // nil: straight
	open  atomic.Int32
	asked []name.Node
	conn  transport.Conn
	near  transport.Stream
	life  *life
}

// startSwapper connects to a transport by a relay, with a stream that echoes.
func startSwapper(t *testing.T, to *carrier, first net.Addr) *swapper {
	t.Helper()
	s := &swapper{t: t, to: first}
	from := build(t, plugintest.Env(t, "a@127.0.0.1"), nil)
	from.path = func(_ context.Context, node name.Node, at name.Address) (net.PacketConn, net.Addr, error) {
		s.asked = append(s.asked, node)
		if s.to == nil {
			return nil, nil, nil
		}
		s.open.Add(1)
		return counted{PacketConn: loopback(t), open: &s.open, once: &sync.Once{}}, s.to, nil
	}
	run(t, from)
	s.life = from.running()
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	here, err := from.Dial(transport.Toward(ctx, name.MustNode("b@127.0.0.1")), to.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	there, err := to.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	near, far := open(t, here, there)
	var echo sync.WaitGroup
	echo.Go(func() { _, _ = io.Copy(far, far) })
	t.Cleanup(func() { far.Reset(transport.CloseNone); echo.Wait() })
	s.conn, s.near = here, near
	return s
}

// counted is a packet connection that is no socket of the system, and tells that it was
// closed.
type counted struct {
	net.PacketConn
	open *atomic.Int32
	once *sync.Once
}

func (c counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.PacketConn.Close()
}

// flows checks that the stream still echoes.
func (s *swapper) flows(when string) {
	s.t.Helper()
	deadline := time.Now().Add(plugintest.Patience)
	if err := errors.Join(s.near.SetReadDeadline(deadline), s.near.SetWriteDeadline(deadline)); err != nil {
		s.t.Fatal(err)
	}
	const size = 32 << 10
	_, err := s.near.Write(make([]byte, size))
	if _, failed := io.ReadFull(s.near, make([]byte, size)); err != nil || failed != nil {
		s.t.Fatalf("%s: %v", when, errors.Join(err, failed))
	}
}

func (s *swapper) migrate(to net.Addr, within time.Duration) error {
	s.to = to
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	return s.conn.(transport.Migrator).Migrate(ctx)
}

func (s *swapper) moves(to net.Addr, when string) {
	s.t.Helper()
	if err := s.migrate(to, plugintest.Patience); err != nil {
		s.t.Fatalf("%s: %v", when, err)
	}
	s.flows(when)
}

// A connection that goes by a path moves to wherever the path leads then: through another
// relay, with the first one gone, straight, and back, over and over, with what is on it.
func TestARelayIsSwappedLive(t *testing.T) {
	t.Parallel()
	to := start(t, "b@127.0.0.1", nil)
	at := net.UDPAddrFromAddrPort(to.running().bound)
	first, second := newForwarder(t, at), newForwarder(t, at)
	s := startSwapper(t, to, first.front.LocalAddr())
	s.flows("by the first relay")
	s.moves(second.front.LocalAddr(), "by the second relay")
	first.close()
	s.flows("when the first relay is gone")
	if got, want := s.conn.Info().Remote, name.AddressFrom(addrPort(second.front.LocalAddr())); got != want || second.passed.Load() == 0 {
		t.Errorf("the peer is seen at %s, want %s; %d packets went there", got, want, second.passed.Load())
	}
	s.moves(nil, "straight")
	second.close()
	s.flows("when both relays are gone")
	if got := s.conn.Info().Remote; got != to.Addresses()[0] {
		t.Errorf("the peer is seen at %s", got)
	}
	for range 6 {
		relay := newForwarder(t, at)
		s.moves(relay.front.LocalAddr(), "by another relay")
		s.moves(nil, "straight again")
		relay.close()
	}
	s.life.sides.mu.Lock()
	if n := len(s.life.sides.all); n > 2 {
		t.Errorf("%d packet connections take turns, want 2", n)
	}
	s.life.sides.mu.Unlock()
	for _, node := range s.asked {
		if node != name.MustNode("b@127.0.0.1") {
			t.Errorf("the path was asked for %s", node)
		}
	}
	if err := s.conn.Close(transport.CloseDropped, ""); err != nil {
		t.Error(err)
	}
	plugintest.Eventually(t, "all that the path made is closed", func() bool { return s.open.Load() == 0 })
}

// A connection that was made without the path goes on without it.
func TestWhatWasMadeStraightStaysStraight(t *testing.T) {
	t.Parallel()
	to := start(t, "b@127.0.0.1", nil)
	s := startSwapper(t, to, nil)
	s.flows("straight")
	s.moves(nil, "straight from another port")
	relay := newForwarder(t, net.UDPAddrFromAddrPort(to.running().bound))
	if err := s.migrate(relay.front.LocalAddr(), plugintest.Patience); !errors.Is(err, transport.ErrFixed) || s.open.Load() != 0 {
		t.Errorf("to a relay: %v, %d packet connections are left open", err, s.open.Load())
	}
	s.flows("straight still")
}

// A relay that does not answer is not moved to: what is on its way goes on by the old one.
func TestADeadRelayIsNotMovedTo(t *testing.T) {
	t.Parallel()
	to := start(t, "b@127.0.0.1", nil)
	relay := newForwarder(t, net.UDPAddrFromAddrPort(to.running().bound))
	s := startSwapper(t, to, relay.front.LocalAddr())
	nowhere := loopback(t)
	t.Cleanup(func() { _ = nowhere.Close() })
	for range 8 { // a peer grants no more than four connection IDs
		if err := s.migrate(nowhere.LocalAddr(), 30*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("by a relay that does not answer: %v", err)
		}
		s.flows("by the old relay")
	}
	plugintest.Eventually(t, "the packet connections of attempts are closed", func() bool { return s.open.Load() == 1 })
	s.moves(relay.front.LocalAddr(), "by a relay that answers")
}

// A path may have had to say something itself before, within a time: that this time has
// passed since is nothing to who uses the connection.
func TestADeadlineThatAPathHasLeft(t *testing.T) {
	near, far := loopback(t), loopback(t)
	t.Cleanup(func() { _ = far.Close() })
	if err := near.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	tun := newTunnel(newWay(near, far.LocalAddr()), far.LocalAddr())
	buf := make([]byte, 16)
	if _, err := tun.WriteTo([]byte("there"), nil); err != nil {
		t.Fatal(err)
	}
	_ = far.SetReadDeadline(time.Now().Add(plugintest.Patience))
	if n, _, err := far.ReadFrom(buf); err != nil || string(buf[:n]) != "there" {
		t.Errorf("there came %q, %v", buf[:n], err)
	}
	if _, err := far.WriteTo([]byte("back"), near.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	came := make(chan string, 1)
	go func() {
		back := make([]byte, 16)
		n, _, _ := tun.ReadFrom(back)
		came <- string(back[:n])
	}()
	select {
	case got := <-came:
		if got != "back" {
			t.Errorf("back came %q", got)
		}
	case <-time.After(plugintest.Patience):
		t.Error("nothing is read, again and again")
		_ = tun.SetReadDeadline(time.Unix(1, 0))
		<-came
	}
	_ = tun.Close()
}
