package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two nodes with a road between them that is made of pipes.
type pair struct {
	t    testing.TB
	a, b *Streams
	open sync.WaitGroup
}

func newPair(t testing.TB) *pair {
	p := &pair{t: t}
	p.a, p.b = p.node("a@h"), p.node("b@h")
	t.Cleanup(func() {
		for _, s := range []*Streams{p.a, p.b} {
			must(t, s.Stop(context.Background()))
		}
		p.open.Wait()
	})
	return p
}

func (p *pair) node(text string) *Streams {
	node := name.MustNode(text)
	s := New(Config{
		Node: node, Network: road{p, node}, Log: slog.New(slog.DiscardHandler),
		Tasks: plugin.NewTasks(func(failed plugin.Panic) { p.t.Errorf("%v\n%s", failed, failed.Stack) }),
	})
	must(p.t, s.Start(context.Background()))
	return s
}

// road leads from one node to the other.
type road struct {
	pair *pair
	from name.Node
}

func (r road) OpenTagged(context.Context, name.Node) (Stream, error) { return r.raw(), nil }

// raw opens a stream without a preamble.
func (r road) raw() *pipeEnd {
	to := r.pair.b
	if r.from == to.cfg.Node {
		to = r.pair.a
	}
	there, back := newPipe(), newPipe()
	r.pair.open.Go(func() { to.Receive(context.Background(), r.from, &pipeEnd{in: there, out: back}) })
	return &pipeEnd{in: back, out: there}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect opens a stream and accepts it.
func connect(t testing.TB, from, at *Streams, tag string) (opened, accepted *Conn) {
	t.Helper()
	l, err := at.Listen(tag, nil)
	must(t, err)
	defer func() { must(t, l.Close()) }()
	opened, err = from.Open(context.Background(), tag, at.cfg.Node)
	must(t, err)
	accepted, err = l.AcceptStream()
	must(t, err)
	return opened, accepted
}

func TestAStreamIsANetConn(t *testing.T) {
	for _, where := range []string{"here", "elsewhere"} {
		t.Run(where, func(t *testing.T) {
			p := newPair(t)
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				at := p.b
				if where == "here" {
					at = p.a
				}
				opened, accepted := connect(t, p.a, at, "t")
				return opened, accepted, func() { must(t, errors.Join(opened.Close(), accepted.Close())) }, nil
			})
		})
	}
}

func TestTags(t *testing.T) {
	p := newPair(t)
	for _, tag := range []string{"", "barrel:x", string(make([]byte, 256))} {
		if _, err := p.a.Listen(tag, nil); !errors.Is(err, ErrBadTag) {
			t.Errorf("listen %q: %v", tag, err)
		}
		if _, err := p.a.Open(t.Context(), tag, p.b.cfg.Node); !errors.Is(err, ErrBadTag) {
			t.Errorf("open %q: %v", tag, err)
		}
	}
	l, err := p.b.Listen("t", nil)
	must(t, err)
	if _, err := p.b.Listen("t", nil); !errors.Is(err, ErrTagTaken) {
		t.Errorf("a second listener: %v", err)
	}
	must(t, l.Close())
	must(t, l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if l, err = p.b.Listen("t", func(node name.Node) bool { return node != p.a.cfg.Node }); err != nil {
		t.Fatalf("the tag is free again: %v", err)
	}
	for tag, want := range map[string]error{"nobody": ErrRefused, "t": ErrDenied} {
		c, err := p.a.Open(t.Context(), tag, p.b.cfg.Node)
		must(t, err)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", tag, err, want)
		}
		must(t, c.Close())
	}
	must(t, l.Close())
}

func TestTheOtherEndLearnsWhatHappened(t *testing.T) {
	p := newPair(t)
	opened, accepted := connect(t, p.a, p.b, "t")
	if accepted.Node() != p.a.cfg.Node || opened.RemoteAddr().String() != "t/b@h" || accepted.Tag() != "t" {
		t.Errorf("accepted from %s, %s", accepted.Node(), opened.RemoteAddr())
	}
	_, err := opened.Write([]byte("half"))
	must(t, err)
	must(t, opened.CloseWrite())
	if _, err := opened.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	if all, err := io.ReadAll(accepted); err != nil || string(all) != "half" {
		t.Errorf("read %q, %v", all, err)
	}
	_, err = accepted.Write([]byte("the other way it goes on"))
	must(t, err)
	must(t, opened.Close())
	for err == nil {
		_, err = accepted.Write(make([]byte, 1000))
	}
	if !errors.Is(err, ErrReset) {
		t.Errorf("write to one that was closed: %v", err)
	}
	accepted.Reset()
	if _, err := accepted.Read(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Reset: %v", err)
	}
}

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	p := newPair(t)
	opened, accepted := connect(t, p.a, p.b, "t")
	sent := make([]byte, 5<<20)
	for i := range sent {
		sent[i] = byte(i * i >> 3)
	}
	go func() {
		_, _ = opened.Write(sent)
		_ = opened.Close()
	}()
	got, err := io.ReadAll(accepted)
	must(t, err)
	if sha256.Sum256(got) != sha256.Sum256(sent) {
		t.Errorf("%d bytes of %d came, or others", len(got), len(sent))
	}
	must(t, accepted.Close())
}

func TestPendingStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t}
		p.a, p.b = p.node("a@h"), p.node("b@h")
		l, err := p.b.Listen("t", nil)
		must(t, err)
		var waiting []Stream
		for range maxPending { // half a preamble each
			s := road{p, p.a.cfg.Node}.raw()
			_, _ = s.Write([]byte{5, 'x'})
			waiting = append(waiting, s)
		}
		synctest.Wait()
		one, err := p.a.Open(t.Context(), "t", p.b.cfg.Node)
		if err == nil { // the refusal had not come yet
			_, err = one.Read(make([]byte, 1))
			must(t, one.Close())
		}
		if !errors.Is(err, ErrBusy) {
			t.Errorf("the stream after those that wait: %v", err)
		}
		c := p.node("c@h") // nobody waits for what another peer leaves undone
		free, err := c.Open(t.Context(), "t", p.b.cfg.Node)
		must(t, err)
		taken, err := l.AcceptStream()
		must(t, err)
		if taken.Node() != c.cfg.Node {
			t.Errorf("a stream of %s was accepted, want one of %s", taken.Node(), c.cfg.Node)
		}
		must(t, errors.Join(free.Close(), taken.Close(), c.Stop(t.Context())))
		for i, s := range waiting { // ends of every sort give the place back
			switch i % 3 {
			case 0:
				s.Reset(transport.CloseNone)
			case 1:
				must(t, s.CloseWrite())
			}
		}
		time.Sleep(preambleTime)
		synctest.Wait()
		for i := range maxPending + 3 {
			c, err := p.a.Open(t.Context(), "t", p.b.cfg.Node)
			must(t, err)
			other, err := l.Accept()
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			must(t, errors.Join(c.Close(), other.Close()))
		}
		if n := p.b.Refused(); n != maxPending+1 {
			t.Errorf("%d streams were refused", n)
		}
		left, err := p.a.Open(t.Context(), "t", p.b.cfg.Node)
		must(t, err)
		synctest.Wait()
		must(t, errors.Join(p.b.Stop(t.Context()), p.a.Stop(t.Context())))
		if _, err := left.Read(make([]byte, 1)); err == nil {
			t.Error("a stream outlives its node")
		}
		p.open.Wait()
		if n := len(p.a.open) + len(p.b.open) + len(p.b.load); n > 0 {
			t.Errorf("%d streams are remembered", n)
		}
	})
}

// Streams of one peer that have been accepted are bounded too, and take no place of another
// peer. One that ends makes room.
func TestOpenStreamsOfAPeerAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t}
		p.a, p.b = p.node("a@h"), p.node("b@h")
		c := p.node("c@h")
		l, err := p.b.Listen("t", nil)
		must(t, err)
		open := func(from *Streams) (*Conn, *Conn) {
			t.Helper()
			opened, err := from.Open(t.Context(), "t", p.b.cfg.Node)
			must(t, err)
			accepted, err := l.AcceptStream()
			must(t, err)
			return opened, accepted
		}
		refused := func(from *Streams) error {
			one, err := from.Open(t.Context(), "t", p.b.cfg.Node)
			if err == nil { // the refusal had not come yet
				_, err = one.Read(make([]byte, 1))
				must(t, one.Close())
			}
			return err
		}
		first, other := open(p.a)
		for range maxOpen - 1 {
			open(p.a)
		}
		if err := refused(p.a); !errors.Is(err, ErrBusy) {
			t.Errorf("the stream after those that are open: %v", err)
		}
		open(c)
		must(t, errors.Join(first.Close(), other.Close()))
		synctest.Wait()
		open(p.a)
		if err := refused(p.a); !errors.Is(err, ErrBusy) {
			t.Errorf("after one has made room for one: %v", err)
		}
		if n := p.b.Refused(); n != 2 {
			t.Errorf("%d streams were refused", n)
		}
		must(t, errors.Join(p.b.Stop(t.Context()), p.a.Stop(t.Context()), c.Stop(t.Context())))
		p.open.Wait()
		if n := len(p.b.load); n > 0 {
			t.Errorf("%d peers are remembered", n)
		}
	})
}

func FuzzPreamble(f *testing.F) {
	f.Add([]byte{1, 't', 'x'})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		tag, err := parsePreamble(bytes.NewReader(data))
		if err == nil && !bytes.Equal(append([]byte{byte(len(tag))}, tag...), data[:1+len(tag)]) {
			t.Errorf("%x was read as %q", data, tag)
		}
	})
}

func Example() {
	var streams *Streams // of a node
	serve := func() error {
		listener, err := streams.Listen("acme.time", nil)
		if err != nil {
			return err
		}
		for {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintln(conn, time.Now())
			_ = conn.Close()
		}
	}
	_ = serve
}
