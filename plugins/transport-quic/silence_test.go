package transportquic

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// ether joins packet connections and can be cut.
type ether struct {
	mu    sync.Mutex
	nodes map[string]simnet.PacketReceiver
	cut   atomic.Bool
}

func (e *ether) AddNode(addr net.Addr, r simnet.PacketReceiver) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nodes[addr.String()] = r
}

func (e *ether) SendPacket(p simnet.Packet) error {
	e.mu.Lock()
	r := e.nodes[p.To.String()]
	e.mu.Unlock()
	if r != nil && !e.cut.Load() {
		r.RecvPacket(p)
	}
	return nil
}

// virtual makes a transport on the ether; both live in the virtual time of a bubble.
func virtual(t *testing.T, e *ether, node string, change ...func(*Settings)) *carrier {
	t.Helper()
	n := name.MustNode(node)
	s := defaults()
	for _, c := range change {
		c(s)
	}
	p, err := NewOn(plugintest.Env(t, node), s, func(context.Context) (net.PacketConn, error) {
		return simnet.NewSimConn(&net.UDPAddr{IP: net.ParseIP(n.Host()), Port: 9100}, e), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p.(*carrier)
}

func TestSilenceEndsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{nodes: map[string]simnet.PacketReceiver{}}
		here, there := connect(t, virtual(t, e, "a@10.0.0.1"), virtual(t, e, "b@10.0.0.2"))
		time.Sleep(10 * time.Minute)
		if here.Context().Err() != nil || there.Context().Err() != nil {
			t.Fatal("an idle connection ended by itself")
		}
		e.cut.Store(true)
		began := time.Now()
		for _, c := range []transport.Conn{here, there} {
			<-c.Context().Done()
			if err := context.Cause(c.Context()); !errors.Is(err, transport.ErrSilent) {
				t.Errorf("cause %v, want ErrSilent", err)
			}
		}
		if took := time.Since(began); took < 3*time.Second || took > 9*time.Second {
			t.Errorf("noticed after %v; want it after the 3s at which links judge, within 9s", took)
		}
	})
}

func TestDialIntoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{nodes: map[string]simnet.PacketReceiver{}}
		c := virtual(t, e, "a@10.0.0.1")
		began := time.Now()
		_, err := c.Dial(t.Context(), name.MustAddress("10.0.0.2:9100"))
		if !errors.Is(err, transport.ErrUnreachable) || !strings.Contains(err.Error(), "10.0.0.2:9100") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took > 2*handshakeIdle {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Dial(ctx, name.MustAddress("10.0.0.2:9100"))
		if !errors.Is(err, transport.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
	})
}

func TestStopEndsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, &ether{nodes: map[string]simnet.PacketReceiver{}}, "a@10.0.0.1")
		result := make(chan error, 1)
		go func() {
			_, err := c.Dial(t.Context(), name.MustAddress("10.0.0.2:9100"))
			result <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, transport.ErrClosed) || time.Since(began) > time.Second {
			t.Errorf("after %v: %v, want ErrClosed at once", time.Since(began), err)
		}
	})
}

func TestFirstAddressThatAnswersWins(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil)
	silent := addrPortOf(t, nobody(t))
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	l := a.running()
	qc, err := l.race(ctx, []netip.AddrPort{silent, silent, b.running().bound})
	if err != nil {
		t.Fatal(err)
	}
	if addrPort(qc.RemoteAddr()) != b.running().bound {
		t.Errorf("connected to %s", qc.RemoteAddr())
	}
	_ = qc.CloseWithError(0, "")
	if _, err := l.race(ctx, []netip.AddrPort{silent, silent}); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("two silent addresses: %v", err)
	}
}

// TestRestartIsNoticedAtOnce: a node that comes back after a crash has lost its
// connections, and says so when the first packet of one arrives.
func TestRestartIsNoticedAtOnce(t *testing.T) {
	a := start(t, "a@127.0.0.1", nil)
	env := plugintest.Env(t, "b@127.0.0.1")
	crashed := build(t, env, nil)
	if err := crashed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	here, _ := connect(t, a, crashed)
	plugintest.Eventually(t, "the dialer must hear of the reset tokens", func() bool {
		return here.SendDatagram(make([]byte, 24)) == nil && here.Info().PacketsReceived > 6
	})
	bound := crashed.running().bound
	if err := crashed.running().socket.Close(); err != nil { // tells nobody
		t.Fatal(err)
	}
	if err := crashed.Stop(context.Background()); err != nil {
		t.Errorf("Stop after the socket broke: %v", err)
	}
	env.Incarnation++
	startIn(t, env, func(s *Settings) { s.Listen = bound.String() })
	began := time.Now()
	plugintest.Eventually(t, "the dialer must learn of the restart", func() bool {
		_ = here.SendDatagram(make([]byte, 24))
		return here.Context().Err() != nil
	})
	err := context.Cause(here.Context())
	if !errors.Is(err, transport.ErrSilent) || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
