package transportquic

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// mute is a socket that loses what is sent as long as it is silent.
type mute struct {
	*net.UDPConn
	silent *atomic.Bool
}

func (m mute) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	if m.silent.Load() {
		return len(b), len(oob), nil
	}
	return m.UDPConn.WriteMsgUDP(b, oob, to)
}

// startMute makes a transport whose connections move to sockets that are silent until
// told otherwise.
func startMute(t *testing.T) (c *carrier, silent *atomic.Bool) {
	t.Helper()
	silent = &atomic.Bool{}
	silent.Store(true)
	c = build(t, plugintest.Env(t, "a@127.0.0.1"), nil)
	c.fresh = func(ctx context.Context) (net.PacketConn, error) {
		var config net.ListenConfig
		socket, err := config.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		return mute{socket.(*net.UDPConn), silent}, nil
	}
	run(t, c)
	return c, silent
}

// An attempt to move that fails leaves nothing behind: the connection can move later,
// however many have failed.
func TestAFailedMoveLeavesNothing(t *testing.T) {
	t.Parallel()
	from, silent := startMute(t)
	c, there := connect(t, from, start(t, "b@127.0.0.1", nil))
	near, far := open(t, c, there)
	at := c.Info().Local
	for range 8 { // a peer grants no more than four connection IDs
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		err := c.(transport.Migrator).Migrate(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, transport.ErrFixed) {
			t.Errorf("moving over a path that is silent: %v", err)
		}
		cancel()
		flows(t, near, far)
		flows(t, far, near)
	}
	if got := c.Info().Local; got != at {
		t.Errorf("the local address is %s after attempts that failed, and was %s", got, at)
	}
	sides := &from.running().sides
	if n := len(sides.all); n != 1 || len(sides.all[0].users) != 0 {
		t.Errorf("%d packet connections were made, want one that nobody uses", n)
	}
	silent.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), plugintest.Patience)
	defer cancel()
	if err := c.(transport.Migrator).Migrate(ctx); err != nil {
		t.Errorf("when the path answers: %v", err)
	}
}

// A move ends with the connection.
func TestAMoveEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	from, _ := startMute(t)
	c, _ := connect(t, from, start(t, "b@127.0.0.1", nil))
	failed := make(chan error, 1)
	began := time.Now()
	go func() { failed <- c.(transport.Migrator).Migrate(t.Context()) }()
	plugintest.Eventually(t, "the move is under way", func() bool {
		sides := &from.running().sides
		sides.mu.Lock()
		defer sides.mu.Unlock()
		return len(sides.all) == 1
	})
	if err := c.Close(transport.CloseDropped, ""); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil || time.Since(began) > migrateTime/2 {
		t.Errorf("ended after %v: %v", time.Since(began), err)
	}
}

// The local address of a connection on a path of its own is that of the path.
func TestThePathHasTheLocalAddress(t *testing.T) {
	t.Parallel()
	to := start(t, "b@127.0.0.1", nil)
	var via net.PacketConn
	from := build(t, plugintest.Env(t, "a@127.0.0.1"), func(s *Settings) { s.Listen = ":0" })
	from.path = func(ctx context.Context, _ name.Node, addr name.Address) (net.PacketConn, net.Addr, error) {
		var err error
		var config net.ListenConfig
		via, err = config.ListenPacket(ctx, "udp", ":0")
		return via, net.UDPAddrFromAddrPort(addrPortOf(t, addr)), err
	}
	run(t, from)
	c, _ := connect(t, from, to)
	if got, want := c.Info().Local, name.AddressFrom(addrPort(via.LocalAddr())); got != want {
		t.Errorf("local address %s, want %s", got, want)
	}
}

// ending is a packet connection that tells when it is closed.
type ending struct {
	*net.UDPConn
	open *atomic.Int32
	once *sync.Once
}

func (e ending) Close() error {
	e.once.Do(func() { e.open.Add(-1) })
	return e.UDPConn.Close()
}

// startVia makes a transport whose connections all go by packet connections of a path,
// and counts those that are open.
func startVia(t *testing.T) (c *carrier, open *atomic.Int32) {
	t.Helper()
	open = &atomic.Int32{}
	c = build(t, plugintest.Env(t, "a@127.0.0.1"), nil)
	c.path = func(ctx context.Context, _ name.Node, addr name.Address) (net.PacketConn, net.Addr, error) {
		var config net.ListenConfig
		socket, err := config.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		open.Add(1)
		return ending{socket.(*net.UDPConn), open, &sync.Once{}}, net.UDPAddrFromAddrPort(addrPortOf(t, addr)), nil
	}
	run(t, c)
	return c, open
}

// What a path has made lives as long as its connection: a peer can be dialed by it over
// and over, and as many peers at once as there are.
func TestAPathEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	from, open := startVia(t)
	to := start(t, "b@127.0.0.1", nil)
	const dials = maxSides + 6
	for range dials {
		here, there := connect(t, from, to)
		if err := here.Close(transport.CloseLeaving, "as was agreed"); err != nil {
			t.Fatal(err)
		}
		<-there.Context().Done()
		closed, ok := errors.AsType[*transport.CloseError](context.Cause(there.Context()))
		if !ok || closed.Code != transport.CloseLeaving {
			t.Fatalf("the peer learned: %v", context.Cause(there.Context()))
		}
	}
	plugintest.Eventually(t, "the packet connections end", func() bool { return open.Load() == 0 })
	for range dials {
		connect(t, from, to)
	}
	if n := open.Load(); n != dials {
		t.Errorf("%d packet connections are open for %d connections", n, dials)
	}
	if err := from.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := open.Load(); n != 0 {
		t.Errorf("%d packet connections outlive the transport", n)
	}
}
