package link_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

// world is some nodes on one memory network, under a virtual clock.
type world struct {
	t         *testing.T
	network   *transportmemory.Network
	factory   transport.Factory
	mu        sync.Mutex
	addresses map[name.Node][]name.Address
}

// inWorld runs a test under a virtual clock.
func inWorld(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := transportmemory.NewNetwork()
		test(t, &world{t: t, network: network, factory: network.Factory(), addresses: map[name.Node][]name.Address{}})
	})
}

func (w *world) Addresses(_ context.Context, node name.Node) ([]name.Address, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.addresses[node]; len(found) > 0 {
		return found, nil
	}
	return nil, fmt.Errorf("%s: %w", node, discovery.ErrNotFound)
}

func (w *world) Invalidate(name.Node) {}

func (w *world) publish(node name.Node, addrs ...name.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addresses[node] = addrs
}

// host is one node of the world.
type host struct {
	*link.Links
	name      name.Node
	transport transport.Plugin
	events    *record
	cfg       link.Config
	stop      func()
}

// node starts a node; change may edit its configuration first.
func (w *world) node(text string, change ...func(*link.Config)) *host {
	w.t.Helper()
	return w.nodeAt(text, "", change...)
}

// transportAt starts a transport without a node behind it.
func (w *world) transportAt(node name.Node, listen string) transport.Plugin {
	w.t.Helper()
	settings := w.factory.Settings().(*transportmemory.Settings)
	settings.Listen = listen
	made, err := w.factory.New(plugin.Env{
		Node: node, Cluster: "test", DataDir: w.t.TempDir(), Log: slog.New(slog.DiscardHandler), Tasks: tasks(w.t),
	}, settings)
	must(w.t, err)
	must(w.t, made.Start(w.t.Context()))
	w.t.Cleanup(func() { must(w.t, made.Stop(context.Background())) })
	return made
}

// nodeAt is node at an address.
func (w *world) nodeAt(text, listen string, change ...func(*link.Config)) *host {
	w.t.Helper()
	node := name.MustNode(text)
	_, private, err := ed25519.GenerateKey(nil)
	must(w.t, err)
	events := &record{}
	cfg := link.Config{
		Node: node, Cluster: "test", Incarnation: 1,
		Signer: func() link.Signer { return keyPair(private) },
		Auth:   true, HandshakeTimeout: 10 * time.Second, ClockSkew: 30 * time.Second,
		IdleAfter: 5 * time.Minute, Sweep: time.Minute,
		Trust: decider(func(trust.Claim) error { return nil }), Resolver: w, Observer: events,
		Tasks: tasks(w.t), Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Transport == nil {
		cfg.Transport = w.transportAt(node, listen)
	}
	w.publish(node, cfg.Transport.Addresses()...)
	h := &host{Links: link.New(cfg), name: node, transport: cfg.Transport, events: events, cfg: cfg}
	h.HandleFrames(link.Membership, func(p link.Peer, data []byte) { events.add("frame", p.Node, string(data)) })
	h.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(w.t, errors.Join(h.Stop(ctx), h.transport.Stop(ctx)))
	})
	w.t.Cleanup(h.stop)
	must(w.t, h.Start(w.t.Context()))
	return h
}

func (h *host) connect(t *testing.T, to *host) {
	t.Helper()
	must(t, h.Connect(t.Context(), to.name, nil))
	synctest.Wait()
}

func tasks(t *testing.T) *plugin.Tasks {
	return plugin.NewTasks(func(p plugin.Panic) { t.Errorf("%v\n%s", p, p.Stack) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyPair is a key pair of the standard library as a link.Signer.
type keyPair ed25519.PrivateKey

func (k keyPair) Public() trust.Key {
	return trust.Key(ed25519.PrivateKey(k).Public().(ed25519.PublicKey))
}

func (k keyPair) Sign(m []byte) [64]byte { return [64]byte(ed25519.Sign(ed25519.PrivateKey(k), m)) }

type decider func(trust.Claim) error

func (d decider) Decide(_ context.Context, c trust.Claim) error { return d(c) }

// record is an observer that remembers.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(what string, node name.Node, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("%s %s %s", what, node, detail))
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func (r *record) count(line string) (n int) {
	for _, l := range r.all() {
		if l == line {
			n++
		}
	}
	return n
}

func (r *record) Up(p link.Peer) { r.add("up", p.Node, fmt.Sprint(p.Incarnation)) }

func (r *record) Moved(p link.Peer) { r.add("moved", p.Node, p.Remote.String()) }

func (r *record) Down(p link.Peer, code transport.CloseCode, _ string) {
	r.add("down", p.Node, code.String())
}

func (r *record) Refused(p link.Peer, dialed bool, err error) {
	r.add("refused", p.Node, fmt.Sprintf("dialed=%v %v", dialed, err))
}
