package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	transportquic "github.com/barrelp2p/barrel/plugins/transport-quic"
)

// A link moves to other addresses, from both ends and over and over: no message is lost,
// doubled or overtaken, a stream goes on, and nobody is down.
func TestMigrationLosesNothing(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	events := record(t, a)
	const messages = 4000
	var got []int
	full := make(chan struct{})
	sink, err := b.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		for {
			n, _, err := core.Receive[int](ctx, self)
			if err != nil {
				return err
			}
			if got = append(got, n); len(got) == messages {
				close(full)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := b.Listen("t")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := a.OpenStream(t.Context(), "t", b.Name())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	const size = 24 << 20
	var busy sync.WaitGroup
	busy.Go(func() {
		for i := range messages {
			if err := core.Send(t.Context(), a, sink.Ref(), i); err != nil {
				t.Errorf("message %d: %v", i, err)
				return
			}
			if i%40 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	busy.Go(func() { _, _ = io.CopyN(stream, zeros{}, size); _ = stream.CloseWrite() })
	busy.Go(func() {
		if n, err := io.Copy(io.Discard, reader); err != nil || n != size {
			t.Errorf("%d bytes of %d came, %v", n, size, err)
		}
	})
	seen := map[name.Address]bool{}
	migrate := func(dialed bool) core.Moved {
		from, to := a, b
		if (adminOf(t, a).Links()[0].Direction == "dialed") != dialed {
			from, to = b, a
		}
		m, err := from.Migrate(t.Context(), to.Name())
		if err != nil || m.Redialed == dialed {
			t.Errorf("%s, which dialed: %v: %+v, %v", from.Name(), dialed, m, err)
		}
		return m
	}
	for range 5 {
		seen[migrate(true).To] = true
	}
	migrate(false) // the other end makes another connection
	seen[migrate(true).To] = true
	busy.Wait()
	<-full
	for i, n := range got {
		if n != i {
			t.Fatalf("message %d came as number %d", n, i)
		}
	}
	if len(seen) == 0 {
		t.Error("no connection went anywhere")
	}
	for _, kind := range []string{"peer", "member", "link"} {
		if down := events.all(kind, "down"); len(down) > 0 {
			t.Errorf("%s down: %v", kind, down)
		}
	}
	if err := errors.Join(stream.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
	if _, err := a.Migrate(t.Context(), name.MustNode("nobody@127.0.0.1")); !errors.Is(err, core.ErrNoLink) {
		t.Errorf("without a link: %v", err)
	}
}

// tunnelling is a relay: whatever comes is passed on, to one place and back.
type tunnelling struct {
	socket net.PacketConn
	to     net.Addr
	passed int
}

func (r *tunnelling) run() {
	var client net.Addr
	buf := make([]byte, 2048)
	for {
		n, from, err := r.socket.ReadFrom(buf)
		if err != nil {
			return
		}
		next := client
		if from.String() != r.to.String() {
			client, next = from, r.to
		}
		r.passed++
		_, _ = r.socket.WriteTo(buf[:n], next)
	}
}

// A link through a relay of the embedder's choice is like any other: the handshake
// proves who is at its far end.
func TestALinkThroughARelay(t *testing.T) {
	t.Parallel()
	f := newField(t)
	b := f.start("b@127.0.0.1")
	at := b.Addresses()[0]
	to, err := net.ResolveUDPAddr("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tunnel := &tunnelling{socket: socket, to: to}
	over := make(chan struct{})
	go func() { defer close(over); tunnel.run() }()
	through := func(ctx context.Context, addr name.Address) (net.PacketConn, net.Addr, error) {
		if addr != at {
			return nil, nil, nil // straight
		}
		var config net.ListenConfig
		own, err := config.ListenPacket(ctx, "udp", "127.0.0.1:0")
		return own, socket.LocalAddr(), err
	}
	settings := transportquic.Factory().Settings().(*transportquic.Settings)
	settings.Listen = "127.0.0.1:0"
	a := f.run(f.make(f.load("a@127.0.0.1", t.TempDir()), core.WithTransport("quic", func(env transport.Env) (transport.Plugin, error) {
		return transportquic.NewVia(env, settings, through)
	})))
	offerEcho(t, b)
	if _, err := call(t, a, "echo@b@127.0.0.1", "through"); err != nil {
		t.Fatal(err)
	}
	stop(t, a)
	_ = socket.Close()
	<-over
	if tunnel.passed < 10 {
		t.Errorf("%d packets went through the relay", tunnel.passed)
	}
}
