package process_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

// cluster is some nodes with real links over a memory network.
type cluster struct {
	t         testing.TB
	network   *transportmemory.Network
	factory   transport.Factory
	trust     yes
	mu        sync.Mutex
	addresses map[name.Node][]name.Address
}

func newCluster(t testing.TB) *cluster {
	network := transportmemory.NewNetwork()
	return &cluster{t: t, network: network, factory: network.Factory(), addresses: map[name.Node][]name.Address{}}
}

func (c *cluster) Addresses(_ context.Context, node name.Node) ([]name.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addresses[node], nil
}

func (c *cluster) Invalidate(name.Node) {}

// host is one node: links, and processes on top.
type host struct {
	*process.Processes
	name  name.Node
	links *link.Links
}

func (c *cluster) node(text string) *host {
	node := name.MustNode(text)
	_, private, err := ed25519.GenerateKey(nil)
	must(c.t, err)
	env := plugin.Env{Node: node, Cluster: "test", Log: slog.New(slog.DiscardHandler), Tasks: c.tasks()}
	carrier, err := c.factory.New(env, c.factory.Settings())
	must(c.t, err)
	must(c.t, carrier.Start(context.Background()))
	c.mu.Lock()
	c.addresses[node] = carrier.Addresses()
	c.mu.Unlock()
	h := &host{name: node}
	h.links = link.New(link.Config{
		Node: node, Cluster: "test", Incarnation: 1, Signer: func() link.Signer { return keyPair(private) },
		Auth: true, HandshakeTimeout: 10 * time.Second, ClockSkew: time.Minute, IdleAfter: time.Minute, Sweep: 10 * time.Second,
		Transport: carrier, Trust: c.trust, Resolver: c, Observer: h, Tasks: c.tasks(), Log: env.Log,
	})
	h.links.HandleStreams(link.Messages, link.Pooled, func(ctx context.Context, p link.Peer, s *link.Stream) {
		h.Receive(ctx, p.Node, p.Incarnation, s)
	})
	h.Processes = process.New(process.Config{Node: node, Incarnation: 1, Network: h, Tasks: c.tasks(), Log: env.Log})
	must(c.t, h.links.Start(context.Background()))
	must(c.t, h.Start(context.Background()))
	c.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(c.t, errors.Join(h.Stop(ctx), h.links.Stop(ctx), carrier.Stop(ctx)))
	})
	return h
}

func (c *cluster) tasks() *plugin.Tasks {
	return plugin.NewTasks(func(p plugin.Panic) { c.t.Errorf("%v\n%s", p, p.Stack) })
}

func (h *host) Connect(ctx context.Context, node name.Node) error { return h.links.Reach(ctx, node) }

func (h *host) OpenMessages(ctx context.Context, node name.Node) (process.Stream, error) {
	s, err := h.links.OpenStream(ctx, node, link.Messages, link.Pooled)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (h *host) Hold(node name.Node) (release func()) {
	h.links.Hold(node, true)
	return func() { h.links.Hold(node, false) }
}

func (h *host) Up(p link.Peer) { h.PeerUp(p.Node, false) }

func (h *host) Moved(link.Peer) {}

func (h *host) Down(p link.Peer, _ transport.CloseCode, text string) { h.PeerDown(p.Node, text) }

func (h *host) Refused(link.Peer, bool, error) {}

func (h *host) serve(t testing.TB, service string, spec process.Spec) process.Target {
	proc, err := h.Spawn(spec)
	must(t, err)
	must(t, h.Bind(name.MustService(service), proc.Ref()))
	return process.ToName(h.name, name.MustService(service))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bytesOf(value any) []byte { b, _ := value.([]byte); return b }

// yes trusts everybody, after some time: so that of two connections that are made at
// once now the one and now the other is ready first, and links move under load.
type yes struct{ within time.Duration }

func (y yes) Decide(context.Context, trust.Claim) error {
	if y.within > 0 {
		time.Sleep(rand.N(y.within))
	}
	return nil
}

type keyPair ed25519.PrivateKey

func (k keyPair) Public() trust.Key {
	return trust.Key(ed25519.PrivateKey(k).Public().(ed25519.PublicKey))
}

func (k keyPair) Sign(m []byte) [64]byte { return [64]byte(ed25519.Sign(ed25519.PrivateKey(k), m)) }

func echo(_ context.Context, m process.Message) (any, error) { return m.Bytes(), nil }

// ledger notes what came, by sender.
type ledger struct {
	mu  sync.Mutex
	got map[int][]int
}

func (l *ledger) handle(_ context.Context, m process.Message) (any, error) {
	var sender, n int
	_, err := fmt.Sscan(string(m.Bytes()), &sender, &n)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[sender] = append(l.got[sender], n)
	return nil, err
}

// check wants all messages of each sender, in order.
func (l *ledger) check(t *testing.T, who string, senders, messages int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range senders {
		if got := l.got[s]; len(got) != messages || !slices.IsSorted(got) {
			t.Errorf("%s had %d messages of %d, in order: %v; want %d in order", who, len(got), s, slices.IsSorted(got), messages)
		}
	}
}

// TestNothingIsLostOrReorderedWhenBothDial sends from both sides while both dial, over
// and over, so that links move between connections under load.
func TestNothingIsLostOrReorderedWhenBothDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.trust.within = 40 * time.Millisecond
		a, b := c.node("a@h"), c.node("b@h")
		const receivers, senders, rounds, each = 3, 3, 15, 40
		ledgers := map[*host][]*ledger{}
		for _, h := range []*host{a, b} {
			for i := range receivers {
				l := &ledger{got: map[int][]int{}}
				h.serve(t, fmt.Sprint("s", i), process.Spec{Handle: l.handle, Mailbox: 1 + i*i*100})
				ledgers[h] = append(ledgers[h], l)
			}
		}
		for round := range rounds {
			var busy sync.WaitGroup
			for _, pair := range [][2]*host{{a, b}, {b, a}} {
				for s := range senders {
					for r := range receivers {
						busy.Go(func() {
							to := process.ToName(pair[1].name, name.MustService(fmt.Sprint("s", r)))
							for i := range each {
								must(t, pair[0].Send(t.Context(), to, fmt.Appendf(nil, "%d %d", s, round*each+i)))
								time.Sleep(time.Duration((i*s+r)%3) * time.Millisecond)
							}
						})
					}
				}
			}
			busy.Wait()
			time.Sleep(5 * time.Minute) // the link is collected; the next round dials from both sides
			if n := len(a.links.List()) + len(b.links.List()); n > 0 {
				t.Fatalf("%d links after a long silence", n)
			}
		}
		for h, list := range ledgers {
			for i, l := range list {
				l.check(t, fmt.Sprintf("s%d@%s", i, h.name), senders, rounds*each)
			}
			for reason, n := range h.DeadLetters() {
				if n > 0 {
					t.Errorf("%s: %d dead letters: %s", h.name, n, reason)
				}
			}
		}
	})
}

func TestCallsFromBothSidesWhileBothDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.trust.within = 40 * time.Millisecond
		a, b := c.node("a@h"), c.node("b@h")
		toA := a.serve(t, "s", process.Spec{Handle: echo, Mailbox: 1})
		toB := b.serve(t, "s", process.Spec{Handle: echo, Mailbox: 1})
		for round := range 20 {
			var busy sync.WaitGroup
			for i := range 20 {
				for from, to := range map[*host]process.Target{a: toB, b: toA} {
					busy.Go(func() {
						time.Sleep(time.Duration(i*i/4) * time.Millisecond)
						want := fmt.Sprint(round, i)
						out, err := from.Call(t.Context(), to, []byte(want))
						if err != nil || string(bytesOf(out)) != want {
							t.Errorf("%s calls %s: %q, %v", from.name, to, out, err)
						}
					})
				}
			}
			busy.Wait()
			time.Sleep(5 * time.Minute)
		}
	})
}

func TestASlowReceiverLosesNothingWhenTheLinkMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.trust.within = 40 * time.Millisecond
		for pair := range 12 { // in some of them the first connection wins, in others it has to drain
			a, b := c.node(fmt.Sprintf("a%d@h", pair)), c.node(fmt.Sprintf("b%d@h", pair))
			l := &ledger{got: map[int][]int{}}
			to := b.serve(t, "slow", process.Spec{Mailbox: 1, Handle: func(ctx context.Context, m process.Message) (any, error) {
				time.Sleep(100 * time.Millisecond)
				return l.handle(ctx, m)
			}})
			var busy sync.WaitGroup
			busy.Go(func() { must(t, b.links.Connect(t.Context(), a.name, nil)) })
			busy.Go(func() {
				for i := range 200 { // most of them are not read when the link moves
					must(t, a.Send(t.Context(), to, fmt.Appendf(nil, "0 %d", i)))
				}
			})
			busy.Wait()
			time.Sleep(time.Minute)
			l.check(t, to.String(), 1, 200)
		}
	})
}

func TestALongCallKeepsItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.trust.within = 40 * time.Millisecond
		a, b := c.node("a@h"), c.node("b@h")
		long := func(_ context.Context, m process.Message) (any, error) {
			time.Sleep(time.Hour)
			return m.Bytes(), nil
		}
		toA, toB := a.serve(t, "s", process.Spec{Handle: long}), b.serve(t, "s", process.Spec{Handle: long})
		for range 10 { // some of them while the link moves
			var busy sync.WaitGroup
			for from, to := range map[*host]process.Target{a: toB, b: toA} {
				busy.Go(func() {
					if out, err := from.Call(t.Context(), to, []byte("x")); err != nil || string(bytesOf(out)) != "x" {
						t.Errorf("%s calls %s: %q, %v", from.name, to, out, err)
					}
				})
			}
			busy.Wait()
			time.Sleep(5 * time.Minute)
			if n := len(a.links.List()); n > 0 {
				t.Errorf("%d links are kept after the calls", n)
			}
		}
	})
}

func TestALostLinkIsNoticedByCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.node("a@h"), c.node("b@h")
		ended := make(chan struct{})
		to := b.serve(t, "s", process.Spec{Handle: func(ctx context.Context, _ process.Message) (any, error) {
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}})
		result := make(chan error, 1)
		go func() { _, err := a.Call(t.Context(), to, nil); result <- err }()
		synctest.Wait()
		begin := time.Now()
		c.network.Cut(a.name, b.name)
		if err := <-result; !errors.Is(err, process.ErrNoConnection) || time.Since(begin) > 4*time.Second {
			t.Errorf("Call: %v after %v", err, time.Since(begin))
		}
		<-ended
		err := a.Send(t.Context(), to, nil)
		if !errors.Is(err, process.ErrNoConnection) || !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("Send: %v", err)
		}
		c.network.Heal(a.name, b.name)
		echoes := b.serve(t, "echo", process.Spec{Handle: echo})
		time.Sleep(time.Minute) // past the back-off
		if out, err := a.Call(t.Context(), echoes, []byte("back")); err != nil || string(bytesOf(out)) != "back" {
			t.Errorf("after the network is whole: %q, %v", out, err)
		}
	})
}

func TestDeadlinesAndCancelsCrossTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		a, b := c.node("a@h"), c.node("b@h")
		ends := make(chan error, 1)
		to := b.serve(t, "s", process.Spec{Handle: func(ctx context.Context, _ process.Message) (any, error) {
			<-ctx.Done()
			ends <- ctx.Err()
			return nil, ctx.Err()
		}})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Call(short, to, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Call: %v", err)
		}
		if err := <-ends; err == nil { // its own deadline, or the cancel of a caller that is a moment ahead
			t.Error("the handler's context has not ended")
		}
		undone, undo := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, undo)
		if _, err := a.Call(undone, to, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Call: %v", err)
		}
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler saw %v", err)
		}
	})
}

func BenchmarkCallHere(b *testing.B) {
	h := newCluster(b).node("a@h")
	benchmarkCalls(b, h, h.serve(b, "echo", process.Spec{Handle: echo}))
}

func BenchmarkCallElsewhere(b *testing.B) {
	c := newCluster(b)
	at := c.node("b@h")
	benchmarkCalls(b, c.node("a@h"), at.serve(b, "echo", process.Spec{Handle: echo}))
}

func BenchmarkCallElsewhereInParallel(b *testing.B) {
	c := newCluster(b)
	from, at := c.node("a@h"), c.node("b@h")
	to := at.serve(b, "echo", process.Spec{Handle: echo})
	payload := make([]byte, 64)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := from.Call(context.Background(), to, payload); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchmarkCalls(b *testing.B, from *host, to process.Target) {
	payload := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := from.Call(context.Background(), to, payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend64(b *testing.B) {
	c := newCluster(b)
	from, at := c.node("a@h"), c.node("b@h")
	to := at.serve(b, "sink", process.Spec{Handle: func(context.Context, process.Message) (any, error) { return nil, nil }})
	payload := make([]byte, 64)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		must(b, from.Send(context.Background(), to, payload))
	}
	if _, err := from.Call(context.Background(), to, nil); err != nil { // behind all of them
		b.Fatal(err)
	}
}
