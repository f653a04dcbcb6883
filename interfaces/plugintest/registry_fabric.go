package plugintest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// registrySigner is the key of a node, made from its name.
type registrySigner struct{ private ed25519.PrivateKey }

func newSigner(node name.Node) registrySigner {
	seed := sha256.Sum256([]byte(node.String()))
	return registrySigner{ed25519.NewKeyFromSeed(seed[:])}
}

// Public is part of trust.Signer.
func (s registrySigner) Public() (k trust.Key) {
	copy(k[:], s.private.Public().(ed25519.PublicKey))
	return k
}

// Sign is part of trust.Signer.
func (s registrySigner) Sign(message []byte) (sig [64]byte) {
	copy(sig[:], ed25519.Sign(s.private, trust.Signed(trust.ForRegistry, message)))
	return sig
}

// lonely is the network of a node without neighbours.
type lonely struct{}

func (lonely) Broadcast([]byte) error             { return nil }
func (lonely) Send(name.Node, []byte) error       { return registry.ErrNoLink }
func (lonely) Neighbours() []name.Node            { return nil }
func (lonely) Key(n name.Node) (trust.Key, bool)  { return newSigner(n).Public(), true }
func (lonely) RTT(name.Node) (none time.Duration) { return none }

// office is a small network in memory: counters, each with a registry under test, links
// between neighbours, and broadcasts that reach whoever can be reached over links. Each
// counter takes its inputs in order, from a goroutine of its own.
type office struct {
	T
	h        RegistryHarness
	mu       sync.Mutex
	counters []*counter
	links    [][2]*counter
	mute     bool // broadcasts are lost
	spoken   []spoken
	policy   func(name.Service, name.Node) error // of those that start from now on
}

// spoken is what was broadcast.
type spoken struct {
	by   *counter
	data []byte
}

// counter is one life of one node.
type counter struct {
	o      *office
	node   name.Node
	inc    uint64
	signer registrySigner
	plugin registry.Plugin

	mu     sync.Mutex
	up     bool
	mail   []registry.Input
	events []string
	wake   chan struct{}
	quit   chan struct{}
	ended  chan struct{}
}

func newOffice(t T, h RegistryHarness, nodes ...string) (*office, []*counter) {
	t.Helper()
	o := &office{T: t, h: h}
	list := make([]*counter, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, o.start(n, 1))
	}
	return o, list
}

// row links counters to a row of neighbours.
func (o *office) row(list ...*counter) {
	for i := 1; i < len(list); i++ {
		o.link(list[i-1], list[i])
	}
}

func (o *office) all() []*counter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.counters)
}

// start gives a node a life, of which all others hear.
func (o *office) start(base string, inc uint64) *counter {
	o.Helper()
	c := o.open(base, inc, newSigner(name.MustNode(base+"@office")))
	for _, other := range o.all() {
		if other != c {
			other.post(memberInput(membership.MemberUp, c))
			c.post(memberInput(membership.MemberUp, other))
		}
	}
	return c
}

// open starts a counter of which nobody hears.
func (o *office) open(base string, inc uint64, signer registrySigner) *counter {
	o.Helper()
	c := &counter{
		o: o, node: name.MustNode(base + "@office"), inc: inc, signer: signer, up: true,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	env := Env(o.T, c.node.String())
	env.Incarnation = inc
	c.plugin = o.h.New(o.T, registry.Env{Env: env, Network: c, Signer: signer, Emit: c.emit, Policy: o.policy})
	if err := c.plugin.Start(o.Context()); err != nil {
		o.Fatalf("Start of %s: %v", c.node, err)
	}
	go c.deliver()
	o.Cleanup(c.end) // before what the plugin stands on goes
	o.mu.Lock()
	o.counters = append(o.counters, c)
	o.mu.Unlock()
	return c
}

func memberInput(kind membership.EventType, c *counter) registry.Input {
	return registry.Input{Kind: registry.Member, Node: c.node, Event: membership.Event{Type: kind, Node: c.node, Incarnation: c.inc}}
}

// tell lets everybody but the member itself hear of it.
func (o *office) tell(kind membership.EventType, c *counter) {
	for _, other := range o.all() {
		if other.node != c.node {
			other.post(memberInput(kind, c))
		}
	}
}

func (o *office) link(a, b *counter) {
	o.mu.Lock()
	o.links = append(o.links, [2]*counter{a, b})
	o.mu.Unlock()
	a.post(registry.Input{Kind: registry.PeerUp, Node: b.node})
	b.post(registry.Input{Kind: registry.PeerUp, Node: a.node})
}

func (o *office) unlink(a, b *counter) {
	o.mu.Lock()
	o.links = slices.DeleteFunc(o.links, func(l [2]*counter) bool { return l == [2]*counter{a, b} || l == [2]*counter{b, a} })
	o.mu.Unlock()
	a.post(registry.Input{Kind: registry.PeerDown, Node: b.node})
	b.post(registry.Input{Kind: registry.PeerDown, Node: a.node})
}

// near lists the neighbours of a counter. The caller holds o.mu.
func (o *office) near(c *counter) (list []*counter) {
	for _, l := range o.links {
		if l[0] == c {
			list = append(list, l[1])
		} else if l[1] == c {
			list = append(list, l[0])
		}
	}
	return list
}

// silence loses all broadcasts, or none.
func (o *office) silence(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mute = on
}

// end stops a counter and the links to it.
func (c *counter) end() {
	c.mu.Lock()
	was := c.up
	c.up = false
	c.mu.Unlock()
	if !was {
		return
	}
	c.o.mu.Lock()
	near := c.o.near(c)
	c.o.counters = slices.DeleteFunc(c.o.counters, func(other *counter) bool { return other == c })
	c.o.mu.Unlock()
	for _, other := range near {
		c.o.unlink(c, other)
	}
	close(c.quit)
	<-c.ended
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	expectStop(ctx, c.o, c.plugin, "Stop of "+c.node.String())
}

func (c *counter) deliver() {
	defer close(c.ended)
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		}
		for in, ok := c.next(); ok; in, ok = c.next() {
			c.plugin.Input(in)
		}
	}
}

func (c *counter) next() (registry.Input, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mail) == 0 || !c.up {
		return registry.Input{}, false
	}
	in := c.mail[0]
	c.mail = c.mail[1:]
	return in, true
}

func (c *counter) post(in registry.Input) {
	c.mu.Lock()
	c.mail = append(c.mail, in)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *counter) emit(e registry.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf("%s %s of %s/%d %v", e.Type, e.Entry.Service, e.Entry.Ref.Node.Base(), e.Entry.Ref.Incarnation, e.Entry.Meta["v"])
	if e.Reason != "" && e.Type == registry.EntryDown {
		text += ": " + e.Reason
	}
	c.events = append(c.events, text)
}

func (c *counter) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// Broadcast is part of registry.Network.
func (c *counter) Broadcast(data []byte) error {
	o := c.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(data) > registry.MaxBroadcast {
		o.Errorf("%s broadcasts %d bytes; the most is %d", c.node, len(data), registry.MaxBroadcast)
	}
	o.spoken = append(o.spoken, spoken{c, bytes.Clone(data)})
	if o.mute {
		return nil
	}
	reached := []*counter{c}
	for i := 0; i < len(reached); i++ {
		for _, other := range o.near(reached[i]) {
			if !slices.Contains(reached, other) {
				reached = append(reached, other)
				other.post(registry.Input{Kind: registry.Broadcast, Node: reached[i].node, Data: bytes.Clone(data)})
			}
		}
	}
	return nil
}

// Send is part of registry.Network.
func (c *counter) Send(node name.Node, frame []byte) error {
	o := c.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(frame) > registry.MaxFrame {
		o.Errorf("%s sends a frame of %d bytes; the most is %d", c.node, len(frame), registry.MaxFrame)
	}
	for _, other := range o.near(c) {
		if other.node == node {
			other.post(registry.Input{Kind: registry.Frame, Node: c.node, Data: bytes.Clone(frame)})
			return nil
		}
	}
	return registry.ErrNoLink
}

// Neighbours is part of registry.Network.
func (c *counter) Neighbours() (list []name.Node) {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	for _, other := range c.o.near(c) {
		list = append(list, other.node)
	}
	slices.SortFunc(list, name.Node.Compare)
	return list
}

// Key is part of registry.Network: membership knows everybody's.
func (c *counter) Key(node name.Node) (trust.Key, bool) {
	return newSigner(node).Public(), node.Host() == "office"
}

// RTT is part of registry.Network.
func (c *counter) RTT(name.Node) time.Duration { return time.Millisecond }

var _ registry.Network = (*counter)(nil)
