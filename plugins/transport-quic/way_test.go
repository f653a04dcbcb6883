package transportquic

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// A connection is astray when the machine sends to the peer from another address than it
// did, until it has moved; what has no way at all, or an address of its own, is not.
func TestAConnectionGoesAstray(t *testing.T) {
	t.Parallel()
	home, away := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	var at atomic.Pointer[netip.Addr] // nil: no way
	at.Store(&home)
	moving := func(c *carrier) {
		c.here = &machine{look: func() []netip.Addr {
			if now := at.Load(); now != nil {
				return []netip.Addr{*now}
			}
			return []netip.Addr{}
		}}
		c.source = func(netip.AddrPort) (netip.Addr, error) {
			if now := at.Load(); now != nil {
				return *now, nil
			}
			return netip.Addr{}, errors.New("no way")
		}
	}
	wild := build(t, plugintest.Env(t, "wild@127.0.0.1"), func(s *Settings) { s.Listen = ":0" })
	moving(wild)
	if err := wild.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := wild.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	bound := start(t, "bound@127.0.0.1", nil)
	moving(bound)
	out, in := connect(t, wild, bound)
	astray := func(c transport.Conn) bool { return c.(transport.Rover).Astray() }
	if astray(out) {
		t.Error("astray before anything has changed")
	}
	at.Store(nil)
	plugintest.Eventually(t, "the machine is seen without an address", func() bool { return len(wild.here.addresses()) == 0 })
	if astray(out) {
		t.Error("astray without a way")
	}
	at.Store(&away)
	plugintest.Eventually(t, "the connection is astray", func() bool { return astray(out) })
	if astray(in) {
		t.Error("a connection of a socket with an address is astray")
	}
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	if err := out.(transport.Migrator).Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if astray(out) {
		t.Error("astray after it has moved")
	}
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
