package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	discoverystatic "github.com/barrelp2p/barrel/plugins/discovery-static"
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
	registrymemory "github.com/barrelp2p/barrel/plugins/registry-memory"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
	trusttofu "github.com/barrelp2p/barrel/plugins/trust-tofu"
)

// town is where the nodes of an example live: one catalog, so that they share a
// network in memory, and a folder for their data.
type town struct {
	ctx     context.Context
	catalog catalog.Catalog
	dir     string
	nodes   []*core.Node
	end     context.CancelFunc
}

func newTown() *town {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	dir, err := os.MkdirTemp("", "town")
	if err != nil {
		panic(err)
	}
	return &town{ctx: ctx, end: cancel, dir: dir, catalog: catalog.Catalog{
		Transport:  []transport.Factory{transportmemory.Factory()},
		Discovery:  []discovery.Factory{discoverystatic.Factory()},
		Trust:      []trust.Factory{trusttofu.Factory()},
		Membership: []membership.Factory{membershipfull.Factory()},
		Registry:   []registry.Factory{registrymemory.Factory()},
	}}
}

// leave stops what was started, the latest first.
func (t *town) leave() {
	for _, n := range slices.Backward(t.nodes) {
		if err := n.Stop(t.ctx); err != nil {
			panic(err)
		}
	}
	t.end()
	_ = os.RemoveAll(t.dir)
}

// node is a node that is not started, at an address that the others know.
func (t *town) node(node, address string, opts ...core.Option) *core.Node {
	cfg, err := core.Load(config.Sources{Name: node, Listen: address, DataDir: filepath.Join(t.dir, node), Sets: []string{
		"transport.use=memory",
		"discovery={use: [static], static: {nodes: {a@town: [mem:1], b@town: [mem:2]}}}",
	}}, t.catalog)
	if err != nil {
		panic(err)
	}
	n, err := core.New(cfg, t.catalog, opts...)
	if err != nil {
		panic(err)
	}
	return n
}

// start is a node that runs.
func (t *town) start(node, address string, opts ...core.Option) *core.Node {
	n := t.node(node, address, opts...)
	if err := n.Start(t.ctx); err != nil {
		panic(err)
	}
	t.nodes = append(t.nodes, n)
	return n
}

// All that is wrong with a configuration is reported at once, each problem with its
// place and the nearest right spelling.
func ExampleLoad() {
	town := newTown()
	defer town.leave()
	_, err := core.Load(config.Sources{Sets: []string{
		"transport.use=memory", "discovery.use=static", "node.clustr=a@town", "links.sweep=soon",
	}}, town.catalog)
	var problems *config.Problems
	if errors.As(err, &problems) {
		fmt.Println(len(problems.List), "problems")
	}
	fmt.Println(err)
	// Output:
	// 2 problems
	// flag --set links.sweep: links.sweep: "soon" is no duration; write a number with a unit, as 5s or 1m30s
	// flag --set node.clustr: node: unknown key "clustr"; did you mean "cluster"?
}

// A node is made from a configuration and a catalog. New touches nothing; Start opens
// the data directory, and Stop leaves the cluster.
func ExampleNew() {
	town := newTown()
	defer town.leave()
	cfg, err := core.Load(config.Sources{Name: "a@town", DataDir: filepath.Join(town.dir, "a"), Sets: []string{
		"transport.use=memory", "discovery.use=static",
	}}, town.catalog)
	if err != nil {
		fmt.Println(err)
		return
	}
	node, err := core.New(cfg, town.catalog)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(node.Name(), node.Addresses())
	_, err = node.Call(town.ctx, "echo", nil)
	fmt.Println(errors.Is(err, core.ErrNotRunning))

	if err := node.Start(town.ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(node.Name(), node.Addresses())
	fmt.Println(node.Stop(town.ctx))
	// Output:
	// a@town []
	// true
	// a@town [mem:1]
	// <nil>
}

// A service is a handler under a name. It is called by its name, by its name and node,
// or by its reference.
func ExampleNode_Register() {
	town := newTown()
	defer town.leave()
	b := town.start("b@town", "mem:2")

	greet := func(_ context.Context, m core.Message) (any, error) {
		return fmt.Appendf(nil, "hello, %s", m.Bytes()), nil
	}
	service, err := b.Register(town.ctx, name.MustService("greet"), map[string]string{"lang": "en"}, greet, core.Concurrency(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, found := range b.Lookup(name.MustService("greet")) {
		fmt.Println(found.Service, found.Ref.Node, found.Meta["lang"])
	}
	for _, target := range []string{"greet", "greet@b@town", service.Ref().String()} {
		answer, err := b.Call(town.ctx, target, []byte("world"))
		fmt.Printf("%s %v\n", answer, err)
	}

	fmt.Println(service.Close())
	_, err = b.Call(town.ctx, "greet", nil)
	fmt.Println(errors.Is(err, core.ErrNotFound))
	// Output:
	// greet b@town en
	// hello, world <nil>
	// hello, world <nil>
	// hello, world <nil>
	// <nil>
	// true
}

// A call opens a link to the node on demand: discovery says where it is, the handshake
// proves that it is the one. What the handler returns comes back as the caller's error.
func ExampleNode_Call() {
	town := newTown()
	defer town.leave()
	a, b := town.start("a@town", "mem:1"), town.start("b@town", "mem:2")

	half := func(_ context.Context, m core.Message) (any, error) {
		if len(m.Bytes())%2 != 0 {
			return nil, errors.New("cannot be halved")
		}
		return m.Bytes()[:len(m.Bytes())/2], nil
	}
	if _, err := b.Register(town.ctx, name.MustService("half"), nil, half); err != nil {
		fmt.Println(err)
		return
	}

	answer, err := a.Call(town.ctx, "half@b@town", []byte("barrel"))
	fmt.Println(string(answer), err)

	_, err = a.Call(town.ctx, "half@b@town", []byte("odd"))
	var remote *core.RemoteError
	if errors.As(err, &remote) {
		fmt.Println(remote.Node, "says:", remote.Text)
	}

	_, err = a.Call(town.ctx, "quarter@b@town", nil)
	fmt.Println(errors.Is(err, core.ErrNoProcess))
	// Output:
	// bar <nil>
	// b@town says: cannot be halved
	// true
}

// A message has no answer: it is delivered at most once, in order for each pair.
// Deliver waits until it is in the mailbox, Send does not.
func ExampleNode_Send() {
	town := newTown()
	defer town.leave()
	a, b := town.start("a@town", "mem:1"), town.start("b@town", "mem:2")

	got := make(chan string)
	note := func(_ context.Context, m core.Message) (any, error) {
		got <- fmt.Sprintf("%s from %s", m.Bytes(), m.From.Node)
		return nil, nil
	}
	if _, err := b.Register(town.ctx, name.MustService("printer"), nil, note); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Send(town.ctx, "printer@b@town", []byte("one")))
	fmt.Println(a.Deliver(town.ctx, "printer@b@town", []byte("two")))
	fmt.Println(<-got)
	fmt.Println(<-got)
	// Output:
	// <nil>
	// <nil>
	// one from a@town
	// two from a@town
}

// Events tell what happens from the moment of Subscribe on; kinds choose some of them.
func ExampleNode_Subscribe() {
	town := newTown()
	defer town.leave()
	a, b := town.start("a@town", "mem:1"), town.start("b@town", "mem:2")

	events := a.Subscribe("member")
	defer events.Close()
	next := func() {
		e, err := events.Next(town.ctx)
		fmt.Println(e.Kind, e.Type, e.Node, err)
	}
	fmt.Println(b.Join(town.ctx, a.Name()))
	next()
	fmt.Println(b.Stop(town.ctx))
	next()
	// Output:
	// <nil>
	// member up b@town <nil>
	// <nil>
	// member left b@town <nil>
}

// Join enters a cluster through any node of it. Leave is sticky: the node stays out
// until Join is called again.
func ExampleNode_Join() {
	town := newTown()
	defer town.leave()
	a, b := town.start("a@town", "mem:1"), town.start("b@town", "mem:2")

	fmt.Println(b.Join(town.ctx, a.Name()))
	for _, m := range b.Members() {
		fmt.Println(m.Node, m.State, m.Neighbour)
	}
	fmt.Println(b.View().Active)
	fmt.Println(b.Leave(town.ctx))
	fmt.Println(len(b.View().Active))
	// Output:
	// <nil>
	// a@town alive true
	// b@town alive false
	// [a@town]
	// <nil>
	// 0
}

// phonebook is a discovery backend of the embedder's own.
type phonebook map[name.Node]name.Address

func (phonebook) Start(context.Context) error { return nil }
func (phonebook) Stop(context.Context) error  { return nil }

func (p phonebook) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	address, ok := p[node]
	switch {
	case ctx.Err() != nil:
		return discovery.Answer{}, ctx.Err()
	case !ok:
		return discovery.Answer{}, discovery.ErrNotFound
	}
	return discovery.Answer{Endpoints: []name.Address{address}}, nil
}

// A component of the embedder's own stands in front of the chain that the configuration
// names; other slots are filled by WithTransport, WithTrust, WithMembership and
// WithRegistry.
func ExampleWithDiscovery() {
	town := newTown()
	defer town.leave()
	book := phonebook{name.MustNode("c@elsewhere"): name.MustAddress("mem:3")}
	a := town.start("a@town", "mem:1", core.WithDiscovery("phonebook", core.Value[discovery.Env](discovery.Plugin(book))))
	c := town.start("c@elsewhere", "mem:3")

	_, err := a.Ping(town.ctx, c.Name())
	fmt.Println(err)
	control, err := a.Admin()
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := control.Discover(town.ctx, c.Name(), false)
	fmt.Println(found.Answer.Backend, found.Answer.Endpoints, err)
	// Output:
	// <nil>
	// phonebook [mem:3] <nil>
}

// bouncer is a trust plugin of the embedder's own: the handshake has proved the key
// before it is asked.
type bouncer struct{ guests map[name.Node]bool }

func (bouncer) Start(context.Context) error { return nil }
func (bouncer) Stop(context.Context) error  { return nil }

func (b bouncer) Decide(_ context.Context, claim trust.Claim) error {
	if !b.guests[claim.Node] {
		return fmt.Errorf("%w: %s is not on the list", trust.ErrUntrusted, claim.Node)
	}
	return nil
}

// Both sides decide about each other, and the one that is refused learns why.
func ExampleWithTrust() {
	town := newTown()
	defer town.leave()
	door := bouncer{guests: map[name.Node]bool{name.MustNode("c@town"): true}}
	a := town.start("a@town", "mem:1", core.WithTrust("bouncer", core.Value[trust.Env](trust.Plugin(door))))
	b := town.start("b@town", "mem:2")

	err := b.Join(town.ctx, a.Name())
	fmt.Println(errors.Is(err, trust.ErrUntrusted))
	fmt.Println(err)
	// Output:
	// true
	// join a@town: link to a@town: mem:1: refused by the peer: trust: untrusted key: b@town is not on the list
}

// A target is a service, a service of one node, or a reference.
func ExampleParseTarget() {
	for _, text := range []string{"echo", "echo@b@town", "b@town/7/1", "echo@town"} {
		target, err := core.ParseTarget(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("service %q, node %q, reference %q\n", target.Service, target.Node, target.Ref)
	}
	// Output:
	// service "echo", node "", reference ""
	// service "echo", node "b@town", reference ""
	// service "", node "b@town", reference "b@town/7/1"
	// reference "echo@town": write node/incarnation/id: invalid name; write NAME, NAME@NODE with NODE as name@host, or a reference
}
