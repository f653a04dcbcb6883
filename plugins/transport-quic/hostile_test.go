package transportquic

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// stranger dials a carrier with a TLS configuration of its own.
func stranger(t *testing.T, to *carrier, change func(*tls.Config)) (*quic.Conn, error) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: socket}
	t.Cleanup(func() { _, _ = tr.Close(), socket.Close() })
	config := start(t, "stranger@127.0.0.1", nil).running().tls.Clone()
	config.VerifyConnection = nil
	change(config)
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	t.Cleanup(cancel)
	return tr.Dial(ctx, net.UDPAddrFromAddrPort(to.running().bound), config, &quic.Config{EnableDatagrams: true})
}

func TestOtherProtocolIsRefused(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	_, err := stranger(t, c, func(config *tls.Config) { config.NextProtos = []string{"h3"} })
	if te, ok := errors.AsType[*quic.TransportError](err); !ok || !te.Remote || te.ErrorCode != noApplicationProtocol {
		t.Errorf("dialing with h3: %v, want the alert no_application_protocol", err)
	}
	expectNoneAccepted(t, c)
}

func TestDialingAnotherProtocolSaysSo(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: socket}
	defer func() { _, _ = tr.Close(), socket.Close() }()
	config := c.running().tls.Clone()
	config.NextProtos = []string{"h3"}
	if _, err := tr.Listen(config, nil); err != nil {
		t.Fatal(err)
	}
	_, err = c.Dial(t.Context(), name.MustAddress(socket.LocalAddr().String()))
	closed, ok := errors.AsType[*transport.CloseError](err)
	if !ok || closed.Code != transport.CloseProtocol || closed.Reason != "it does not speak barrel/1" {
		t.Errorf("error %v", err)
	}
}

func TestNoClientCertificateIsRefused(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	qc, err := stranger(t, c, func(config *tls.Config) {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{}, nil
		}
	})
	if err == nil { // TLS 1.3 lets the client finish first
		<-qc.Context().Done()
		err = context.Cause(qc.Context())
	}
	if te, ok := errors.AsType[*quic.TransportError](err); !ok || !te.Remote || te.ErrorCode != certificateRequired {
		t.Errorf("dialing without a certificate: %v, want the alert certificate_required", err)
	}
	expectNoneAccepted(t, c)
}

func expectNoneAccepted(t *testing.T, c *carrier) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Accept(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept: %v, want nobody", err)
	}
}

// notebook is a packet connection that notes what is sent and answers nothing.
type notebook struct {
	net.PacketConn
	sent   chan []byte
	closed chan struct{}
}

func (n *notebook) WriteTo(p []byte, _ net.Addr) (int, error) {
	select {
	case n.sent <- append([]byte(nil), p...):
	default:
	}
	return len(p), nil
}

func (n *notebook) ReadFrom([]byte) (int, net.Addr, error) {
	<-n.closed
	return 0, nil, net.ErrClosed
}
func (n *notebook) SetReadDeadline(time.Time) error { return nil }
func (n *notebook) SetReadBuffer(int) error         { return nil }
func (n *notebook) SetWriteBuffer(int) error        { return nil }
func (n *notebook) LocalAddr() net.Addr             { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} }

// firstPackets returns first packets of so many different dials.
func firstPackets(t *testing.T, config *tls.Config, count int) [][]byte {
	t.Helper()
	config = config.Clone()
	config.CurvePreferences = []tls.CurveID{tls.X25519} // fits into one packet
	book := &notebook{sent: make(chan []byte, 1), closed: make(chan struct{})}
	tr := &quic.Transport{Conn: book}
	defer func() { close(book.closed); _ = tr.Close() }()
	var packets [][]byte
	for range count {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = tr.Dial(ctx, book.LocalAddr(), config, &quic.Config{EnableDatagrams: true})
		}()
		packets = append(packets, <-book.sent)
		cancel()
		<-done
	}
	return packets
}

func TestHalfOpenDialsCostLittle(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	friend := start(t, "b@127.0.0.1", nil)
	const dials, sources = 1000, 10 // 10,000 in all
	packets := firstPackets(t, friend.running().tls, dials)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()

	var attack sync.WaitGroup
	for range sources {
		attack.Go(func() { flood(t, c, packets) })
	}
	most := 0
	for range 5 { // the node goes on serving
		connect(t, friend, c)
		most = max(most, c.running().admission.halfOpen())
	}
	attack.Wait()
	if most = max(most, c.running().admission.halfOpen()); most == 0 || most > maxHalfOpen {
		t.Errorf("%d handshakes under way, want some, at most %d", most, maxHalfOpen)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 8*maxHalfOpen {
		t.Errorf("%d goroutines more", n)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	connect(t, friend, c)
	plugintest.Eventually(t, "handshakes that never went on must be forgotten", func() bool {
		return c.running().admission.halfOpen() == 0
	})
}

func flood(t *testing.T, c *carrier, packets [][]byte) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = socket.Close() }()
	to := net.UDPAddrFromAddrPort(c.running().bound)
	for i, p := range packets {
		if _, err := socket.WriteTo(p, to); err != nil {
			t.Error(err)
			return
		}
		if i%50 == 0 {
			runtime.Gosched()
		}
	}
}

func TestHandshakesAreFew(t *testing.T) {
	a := newAdmission()
	from := func(b byte) net.Addr { return &net.UDPAddr{IP: net.IPv4(10, 0, 0, b)} }
	entered := func(b byte) (n int) {
		for range 2 * maxHalfOpen {
			if a.enter(host(from(b))) {
				n++
			}
		}
		return n
	}
	if n := entered(1); n != maxHalfOpenHost {
		t.Errorf("one host: %d, want %d", n, maxHalfOpenHost)
	}
	if !a.suspicious(from(2)) {
		t.Error("nobody has to prove an address")
	}
	if n := entered(2) + entered(3); n != maxHalfOpen-maxHalfOpenHost {
		t.Errorf("other hosts: %d, want %d", n, maxHalfOpen-maxHalfOpenHost)
	}
	a.leave(host(from(1)))
	if n := entered(1); n != 1 {
		t.Errorf("after one has left: %d, want 1", n)
	}
	same := host(&net.UDPAddr{IP: net.ParseIP("fd00::1")}) == host(&net.UDPAddr{IP: net.ParseIP("fd00::2")})
	if !same {
		t.Error("two addresses of one IPv6 network count as two hosts")
	}
}

func TestConnectionsThatNobodyAcceptsAreBounded(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	dialer := start(t, "b@127.0.0.1", nil)
	for range maxUnaccepted {
		if _, err := dialer.Dial(t.Context(), c.Addresses()[0]); err != nil {
			t.Fatal(err)
		}
	}
	plugintest.Eventually(t, "the queue must fill", func() bool { return len(c.running().accepts) == maxUnaccepted })
	late, err := dialer.Dial(t.Context(), c.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	<-late.Context().Done()
	closed, ok := errors.AsType[*transport.CloseError](context.Cause(late.Context()))
	if !ok || !closed.Remote || closed.Code != transport.CloseBusy {
		t.Errorf("the one too many: %v, want busy", context.Cause(late.Context()))
	}
}
