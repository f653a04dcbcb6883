package membershiphyparview

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// desk is a network with nobody in it; the test plays the peers, byte by byte.
type desk struct {
	t   *testing.T
	p   membership.Plugin
	vet func(name.Node, trust.Key) error

	mu     sync.Mutex
	self   []name.Address
	events []membership.Event
	sent   map[name.Node][][]byte
	said   [][]byte
	closed map[name.Node]transport.CloseCode
	dialed []name.Node
}

// actor is somebody at the desk.
type actor struct {
	node    name.Node
	inc     uint64
	private ed25519.PrivateKey
}

func someone(base string, inc uint64) actor { return impostor(base, base, inc) }

// impostor has a name and the key of another.
func impostor(base, seed string, inc uint64) actor {
	sum := sha256.Sum256([]byte(seed))
	return actor{name.MustNode(base + "@10.0.0.9"), inc, ed25519.NewKeyFromSeed(sum[:])}
}

func (a actor) Public() trust.Key { return trust.Key(a.private.Public().(ed25519.PublicKey)) }

func (a actor) Sign(message []byte) [64]byte {
	return [64]byte(ed25519.Sign(a.private, trust.Signed(trust.ForMembership, message)))
}

func (a actor) peer() membership.Peer {
	return membership.Peer{
		Node: a.node, Key: a.Public(), Incarnation: a.inc,
		Endpoints: []name.Address{name.MustAddress("10.0.0.9:1")}, Remote: name.MustAddress("10.0.0.9:1"),
	}
}

// record is the actor's word on itself.
func (a actor) record(ref uint32, left bool) (body, sig []byte) {
	r := member.Record{Node: a.node, Key: a.Public(), Cluster: "test", Incarnation: a.inc, Ref: ref, Left: left, Endpoints: a.peer().Endpoints}
	body = r.Encode()
	s := a.Sign(body)
	return body, s[:]
}

// atDesk runs a test in virtual time, with a plugin that was just started.
func atDesk(t *testing.T, change func(*Settings), test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, self: []name.Address{name.MustAddress("10.0.0.1:1")}, sent: map[name.Node][][]byte{}, closed: map[name.Node]transport.CloseCode{}}
		d.vet = func(name.Node, trust.Key) error { return nil }
		env := plugintest.Env(t, "self@10.0.0.1")
		env.Incarnation = 1
		s := defaults()
		if change != nil {
			change(s)
		}
		d.boot(env, s)
		test(t, d)
		if err := d.p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func (d *desk) boot(env plugin.Env, s *Settings) {
	d.t.Helper()
	var err error
	me := someone("self", env.Incarnation)
	d.p, err = Factory().New(membership.Env{Env: env, Network: d, Emit: d.emit, Signer: me, Vet: func(n name.Node, k trust.Key) error { return d.vet(n, k) }}, s)
	if err == nil {
		err = d.p.Start(d.t.Context())
	}
	if err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
}

func (d *desk) Self() []name.Address {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.self)
}

func (d *desk) Connect(ctx context.Context, node name.Node, _ []name.Address) error {
	d.mu.Lock()
	d.dialed = append(d.dialed, node)
	d.mu.Unlock()
	<-ctx.Done()
	return fmt.Errorf("%s: %w", node, transport.ErrUnreachable)
}

func (d *desk) Send(node name.Node, frame []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent[node] = append(d.sent[node], slices.Clone(frame))
	return nil
}

func (d *desk) Hold(name.Node, bool) {}

func (d *desk) Broadcast(data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, slices.Clone(data))
	return nil
}

func (d *desk) Flush(context.Context) error { return nil }

func (d *desk) Disconnect(node name.Node, code transport.CloseCode, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed[node] = code
}

func (d *desk) emit(e membership.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// told counts the events of a type about a node.
func (d *desk) told(t membership.EventType, node name.Node) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e.Type == t && e.Node == node {
			n++
		}
	}
	return n
}

func (d *desk) input(in membership.Input) {
	d.p.Input(in)
	synctest.Wait()
}

// comes is a peer that links and introduces itself.
func (d *desk) comes(a actor) {
	d.input(membership.Input{Kind: membership.LinkUp, Peer: a.peer()})
	body, sig := a.record(0, false)
	d.frame(a, append([]byte{frameRecord}, append(body, sig...)...))
}

// joins is a peer that becomes a neighbour.
func (d *desk) joins(a actor) {
	d.comes(a)
	d.frame(a, hyparview.Encode(nil, &hyparview.Message{Kind: hyparview.Join}, nil))
}

func (d *desk) frame(a actor, data []byte) {
	d.input(membership.Input{Kind: membership.Frame, Peer: a.peer(), Data: data})
}

func (d *desk) broadcast(data []byte) {
	d.input(membership.Input{Kind: membership.Broadcast, Data: data})
}

// state is what the plugin believes of a node; "" if nothing.
func (d *desk) state(node name.Node) membership.State {
	for _, m := range d.p.Members() {
		if m.Node == node {
			return m.State
		}
	}
	return ""
}

func (d *desk) expect(node name.Node, want membership.State, why string) {
	d.t.Helper()
	if got := d.state(node); got != want {
		d.t.Errorf("%s: %s is %q, want %q", why, node, got, want)
	}
}

// announce is the word of somebody on a node, with a record and signature of anybody's.
func announce(about actor, ref uint32, left bool, body, sig []byte) []byte {
	e := liveness.Entry{Peer: 1, State: liveness.Alive, Inc: about.inc, Ref: ref, Proof: &liveness.Proof{Record: body, Sig: sig}}
	if left {
		e.State = liveness.Left
	}
	return liveness.Append(nil, &liveness.Message{Kind: liveness.Announce, Entries: []liveness.Entry{e}}, one{about})
}

// obituary says that an observer does not reach some; signer signs it.
func obituary(observer, signer actor, ref uint32, subjects ...actor) []byte {
	names := several{append([]actor{observer}, subjects...)}
	msg := liveness.Message{Kind: liveness.Obituary, Peer: 1}
	for i, s := range subjects {
		msg.Entries = append(msg.Entries, liveness.Entry{Peer: overlay.Peer(i + 2), State: liveness.Suspect, Inc: s.inc, Ref: ref})
	}
	sig := signer.Sign(liveness.Append(nil, &msg, names))
	msg.Sig = sig[:]
	return liveness.Append(nil, &msg, names)
}

// several numbers actors from 1.
type several struct{ actors []actor }

func (s several) ID(p overlay.Peer) uint64 {
	a := s.actors[p-1]
	return idOf(a.node, a.Public())
}

func (several) Peer(uint64) overlay.Peer      { return overlay.Nobody }
func (several) Prove(uint64, *liveness.Entry) {}

// one numbers a single actor.
type one struct{ actor }

func (o one) ID(overlay.Peer) uint64      { return idOf(o.node, o.Public()) }
func (one) Peer(uint64) overlay.Peer      { return overlay.Nobody }
func (one) Prove(uint64, *liveness.Entry) {}

const patience = time.Minute
