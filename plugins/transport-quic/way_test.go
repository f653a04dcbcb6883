package transportquic

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// place is where a machine is.
type place struct{ at atomic.Pointer[netip.Addr] } // nil: nowhere

func (p *place) is(addr string) {
	now := netip.MustParseAddr(addr)
	p.at.Store(&now)
}

// addresses is what the machine has.
func (p *place) addresses() []netip.Addr {
	if now := p.at.Load(); now != nil {
		return []netip.Addr{*now}
	}
	return []netip.Addr{}
}

// source is from where it sends.
func (p *place) source() (netip.Addr, error) {
	if now := p.at.Load(); now != nil {
		return *now, nil
	}
	return netip.Addr{}, errors.New("no way")
}

// startAt starts a transport on a machine that is in a place.
func startAt(t *testing.T, p *place, node, listen string) *carrier {
	t.Helper()
	c := build(t, plugintest.Env(t, node), func(s *Settings) { s.Listen = listen })
	c.here = &machine{look: p.addresses}
	c.source = func(netip.AddrPort) (netip.Addr, error) { return p.source() }
	run(t, c)
	return c
}

func isAstray(c transport.Conn) bool { return c.(transport.Rover).Astray() }

// A connection is astray when the machine sends to the peer from another address than it
// did, until it has moved, or has lost the address that the peer dialed; what has no way
// at all, or an address or a path of its own, is not.
func TestAConnectionGoesAstray(t *testing.T) {
	t.Parallel()
	var p place
	p.is("127.0.0.1")
	wild, bound := startAt(t, &p, "wild@127.0.0.1", ":0"), startAt(t, &p, "bound@127.0.0.1", "127.0.0.1:0")
	out, in := connect(t, wild, bound)
	back, accepted := connect(t, bound, wild)
	wild.running().path = func(context.Context, name.Node, name.Address) (net.PacketConn, net.Addr, error) {
		socket, err := net.ListenPacket("udp", ":0")
		return socket, net.UDPAddrFromAddrPort(bound.running().bound), err
	}
	private, _ := connect(t, wild, bound)
	wild.running().path = nil
	all := map[string]transport.Conn{"dialed": out, "accepted": accepted, "bound": back, "bound and accepted": in, "private": private}
	astray := func() (which []string) {
		for name, c := range all {
			if isAstray(c) {
				which = append(which, name)
			}
		}
		slices.Sort(which)
		return which
	}
	if got := astray(); len(got) > 0 {
		t.Errorf("before anything has changed: %q", got)
	}
	p.at.Store(nil)
	plugintest.Eventually(t, "the machine is seen without an address", func() bool { return len(wild.here.addresses()) == 0 })
	if got := astray(); len(got) > 0 {
		t.Errorf("without a way: %q", got)
	}
	p.is("127.0.0.2")
	plugintest.Eventually(t, "both machines are seen elsewhere", func() bool {
		return len(wild.here.addresses()) > 0 && len(bound.here.addresses()) > 0
	})
	if got := astray(); !slices.Equal(got, []string{"accepted", "dialed"}) {
		t.Errorf("after a move: %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	if err := out.(transport.Migrator).Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if got := astray(); !slices.Equal(got, []string{"accepted"}) {
		t.Errorf("after one has moved: %q", got)
	}
}

// A second address, from which others are reached now, is no reason to leave the one that
// the peer dialed; and an address that the machine never had is none that it has lost.
func TestAnAcceptedConnectionStaysWhereItIs(t *testing.T) {
	t.Parallel()
	var w way
	first, second := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, step := range []struct {
		local netip.Addr
		here  []netip.Addr
		want  bool
	}{
		{first, []netip.Addr{second}, false},
		{first, []netip.Addr{first}, false},
		{first, []netip.Addr{second, first}, false},
		{first, []netip.Addr{second}, true},
	} {
		if got := w.lost(step.local, step.here); got != step.want {
			t.Errorf("at %s of %s: lost %v", step.local, step.here, got)
		}
	}
}

// A machine may have an address before the route that prefers it, so it is asked for some
// time; then not again until the addresses change.
func TestARouteComesAfterTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home, away := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		have, from, asked := []netip.Addr{home}, home, 0
		here := &machine{look: func() []netip.Addr { return slices.Clone(have) }}
		var w way
		look := func() bool {
			return w.look(here, func() (netip.Addr, error) { asked++; return from, nil })
		}
		look()
		time.Sleep(settling + time.Second)
		have = append(have, away)
		if look() {
			t.Error("astray though packets leave as they did")
		}
		time.Sleep(2 * time.Second)
		from = away
		if !look() {
			t.Error("not astray though the route has changed")
		}
		time.Sleep(settling)
		look()
		asked = 0
		for range 10 {
			if !look() {
				t.Error("not astray any more")
			}
		}
		if asked != 0 {
			t.Errorf("asked %d times though nothing changed", asked)
		}
	})
}

// What has no way out is lost, unless it is of a handshake.
func TestAPacketWithoutAWayIsLost(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	socket, err := config.ListenPacket(t.Context(), "udp4", "127.0.0.1:0") // from here nothing else is reached
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	s := lenient{socket.(*net.UDPConn)}
	far := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}
	if n, _, err := s.WriteMsgUDP([]byte{0x40, 1, 2}, nil, far); n != 3 || err != nil {
		t.Errorf("a packet of a connection: %d, %v", n, err)
	}
	if _, _, err := s.WriteMsgUDP([]byte{0xc0, 1, 2}, nil, far); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("a packet of a handshake: %v", err)
	}
	_ = s.SetWriteDeadline(time.Unix(1, 0))
	if _, _, err := s.WriteMsgUDP([]byte{0x40}, nil, far); err == nil {
		t.Error("an error of another sort is not told")
	}
}
