package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
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
		if dialed && m.From == m.To {
			t.Errorf("%s stayed at %s", from.Name(), m.To)
		}
		return m
	}
	for range 5 {
		m := migrate(true)
		seen[m.From], seen[m.To] = true, true
	}
	if len(seen) < 2 {
		t.Errorf("the connection has been at %v", seen)
	}
	migrate(false) // the other end makes another connection
	migrate(true)
	busy.Wait()
	<-full
	for i, n := range got {
		if n != i {
			t.Fatalf("message %d came as number %d", n, i)
		}
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

// tunnelling is a relay: what comes is passed on to one place, from a socket of its own for
// each sender, and back.
type tunnelling struct {
	t       *testing.T
	front   net.PacketConn
	to      net.Addr
	passed  atomic.Int32
	running sync.WaitGroup
}

func newTunnelling(t *testing.T, to net.Addr) *tunnelling {
	t.Helper()
	r := &tunnelling{t: t, front: loopback(t), to: to}
	r.running.Go(r.run)
	return r
}

func loopback(t *testing.T) net.PacketConn {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
	}
	return socket
}

func (r *tunnelling) run() {
	backs := map[string]net.PacketConn{}
	forward(r.front, func(p []byte, from net.Addr) {
		back := backs[from.String()]
		if back == nil {
			back = loopback(r.t)
			backs[from.String()] = back
			r.running.Go(func() {
				forward(back, func(p []byte, _ net.Addr) { _, _ = r.front.WriteTo(p, from) })
			})
		}
		r.passed.Add(1)
		_, _ = back.WriteTo(p, r.to)
	})
	for _, back := range backs {
		_ = back.Close()
	}
}

func forward(from net.PacketConn, do func([]byte, net.Addr)) {
	buf := make([]byte, 2048)
	for {
		n, sender, err := from.ReadFrom(buf)
		if err != nil {
			return
		}
		do(buf[:n], sender)
	}
}

func (r *tunnelling) close() {
	_ = r.front.Close()
	r.running.Wait()
}

// startVia starts a node whose links go where a path leads.
func (l *lab) startVia(node string, path transportquic.Path) *core.Node {
	settings := transportquic.Factory().Settings().(*transportquic.Settings)
	settings.Listen = "127.0.0.1:0"
	return l.run(l.make(l.load(node, l.t.TempDir()), core.WithTransport("quic", func(env transport.Env) (transport.Plugin, error) {
		return transportquic.NewVia(env, settings, path)
	})))
}

// A link through a relay of the embedder's choice is like any other: the handshake proves
// who is at its far end, and it moves, to another relay with all that is on it, but not to
// one that does not answer.
func TestALinkThroughARelay(t *testing.T) {
	t.Parallel()
	f := newField(t)
	b := f.start("b@127.0.0.1")
	to, err := net.ResolveUDPAddr("udp", b.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	first, second := newTunnelling(t, to), newTunnelling(t, to)
	var way atomic.Pointer[net.Addr]
	lead := func(to net.Addr) { way.Store(&to) }
	lead(first.front.LocalAddr())
	through := func(_ context.Context, node name.Node, _ name.Address) (net.PacketConn, net.Addr, error) {
		if node != b.Name() {
			return nil, nil, nil // straight
		}
		return loopback(t), *way.Load(), nil
	}
	a := f.startVia("a@127.0.0.1", through)
	offerEcho(t, b)
	echo := func(when string) {
		t.Helper()
		if _, err := call(t, a, "echo@b@127.0.0.1", when); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	}
	echo("through the first")
	events := record(t, a)
	nowhere := loopback(t)
	lead(nowhere.LocalAddr())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	if _, err := a.Migrate(ctx, b.Name()); !errors.Is(err, core.ErrPathDead) {
		t.Errorf("to a relay that does not answer: %v", err)
	}
	cancel()
	echo("through the first still")
	lead(second.front.LocalAddr())
	if _, err := a.Migrate(t.Context(), b.Name()); err != nil {
		t.Errorf("to the second: %v", err)
	}
	first.close()
	echo("through the second")
	if down := events.all("link", "down"); len(down) > 0 {
		t.Errorf("the link was down: %v", down)
	}
	if first.passed.Load() < 10 || second.passed.Load() == 0 {
		t.Errorf("%d packets went through the first relay, %d through the second", first.passed.Load(), second.passed.Load())
	}
	stop(t, a)
	second.close()
	_ = nowhere.Close()
}

// When the end that accepted moves a link, a stream that is open goes on where it is, by the
// old path, and what is new goes by the new one. When the old path dies, the stream is lost,
// which both ends learn, and the link is not.
func TestAStreamStaysWhenTheOtherEndRedials(t *testing.T) {
	t.Parallel()
	f := newField(t)
	b := f.start("b@127.0.0.1")
	to, err := net.ResolveUDPAddr("udp", b.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	relay := newTunnelling(t, to)
	a := f.startVia("a@127.0.0.1", func(context.Context, name.Node, name.Address) (net.PacketConn, net.Addr, error) {
		return loopback(t), relay.front.LocalAddr(), nil
	})
	offerEcho(t, a)
	offerEcho(t, b)
	if _, err := a.Ping(t.Context(), b.Name()); err != nil {
		t.Fatal(err)
	}
	events := record(t, a)
	listener, err := b.Listen("t")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (near, far net.Conn) {
		if near, err = a.OpenStream(t.Context(), "t", b.Name()); err != nil {
			t.Fatal(err)
		}
		if far, err = listener.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = errors.Join(near.Close(), far.Close()) })
		return near, far
	}
	near, far := open()
	moved, err := b.Migrate(t.Context(), a.Name())
	if err != nil || !moved.Redialed {
		t.Fatalf("%+v, %v", moved, err)
	}
	throughput(t, near, far, 1<<20)
	throughput(t, far, near, 1<<20)
	eventually(t, "a uses the new connection", func() bool { return adminOf(t, a).Links()[0].Direction == "accepted" })
	before := relay.passed.Load()
	newNear, newFar := open()
	throughput(t, newNear, newFar, 4<<20)
	if n := relay.passed.Load() - before; n > 1000 {
		t.Errorf("%d packets of a new stream went the old way", n)
	}
	relay.close()
	for _, c := range []net.Conn{near, far} {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, core.ErrStreamLost) {
			t.Errorf("a stream whose path has died: %v", err)
		}
	}
	throughput(t, newNear, newFar, 1<<20)
	for from, to := range map[*core.Node]*core.Node{a: b, b: a} {
		if _, err := call(t, from, "echo@"+to.Name().String(), "still"); err != nil {
			t.Error(err)
		}
	}
	if down := events.all("link", "down"); len(down) > 0 {
		t.Errorf("the link was down: %v", down)
	}
}
