package transportquic

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Transport(t, plugintest.TransportHarness{
		New:    func(t plugintest.T, node string) transport.Plugin { return build(t, plugintest.Env(t, node), nil) },
		Nobody: func(t plugintest.T) name.Address { return nobody(t) },
	})
}

// build makes a transport that listens on loopback.
func build(t plugintest.T, env plugin.Env, change func(*Settings)) *carrier {
	t.Helper()
	factory := Factory()
	s := factory.Settings().(*Settings)
	s.Listen = "127.0.0.1:0"
	if change != nil {
		change(s)
	}
	if problems := s.Validate(); len(problems) > 0 {
		t.Fatalf("settings: %v", problems)
	}
	p, err := factory.New(env, s)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return p.(*carrier)
}

// start makes a transport that runs until the test ends.
func start(t testing.TB, node string, change func(*Settings)) *carrier {
	t.Helper()
	return startIn(t, plugintest.Env(t, node), change)
}

func startIn(t testing.TB, env plugin.Env, change func(*Settings)) *carrier {
	t.Helper()
	c := build(t, env, change)
	run(t, c)
	return c
}

// run starts a transport that runs until the test ends.
func run(t testing.TB, c *carrier) {
	t.Helper()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// connect dials and accepts.
func connect(t testing.TB, from, to *carrier) (here, there transport.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	here, err := from.Dial(ctx, to.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	there, err = to.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return here, there
}

// nobody is the address of a socket that never answers.
func nobody(t plugintest.T) name.Address {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("a socket: %v", err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return name.MustAddress(socket.LocalAddr().String())
}

func addrPortOf(t *testing.T, addr name.Address) netip.AddrPort {
	t.Helper()
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return ap
}
