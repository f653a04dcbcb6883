// Command embed puts a node of its own make-up into a program: the transport is in
// memory, discovery is a map of the program's own, trust is a list of keys that only
// this program knows, and the rest comes from a catalog with nothing in it that is not
// used.
//
//	go run ./examples/embed
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
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
	membershipfull "github.com/barrelp2p/barrel/plugins/membership-full"
	registrymemory "github.com/barrelp2p/barrel/plugins/registry-memory"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "embed")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	house := newHouse()
	a, err := house.start(ctx, dir, "a@house")
	if err != nil {
		return err
	}
	defer stop(ctx, a)
	b, err := house.start(ctx, dir, "b@house")
	if err != nil {
		return err
	}
	defer stop(ctx, b)
	if err := b.Join(ctx, a.Name()); err != nil {
		return err
	}
	for _, m := range b.Members() {
		fmt.Println(m.Node, m.State)
	}
	return nil
}

func stop(ctx context.Context, n *core.Node) {
	if err := n.Stop(ctx); err != nil {
		log.Print(err)
	}
}

// house is what the nodes of this program share: a network, and a map that is both
// their discovery and their guest list.
type house struct {
	catalog catalog.Catalog
	mu      sync.Mutex
	rooms   map[name.Node][]name.Address
}

func newHouse() *house {
	return &house{rooms: map[name.Node][]name.Address{}, catalog: catalog.Catalog{
		Transport:  []transport.Factory{transportmemory.Factory()},
		Membership: []membership.Factory{membershipfull.Factory()},
		Registry:   []registry.Factory{registrymemory.Factory()},
	}}
}

func (h *house) start(ctx context.Context, dir, node string) (*core.Node, error) {
	cfg, err := core.Load(config.Sources{
		Name: node, DataDir: filepath.Join(dir, node), Sets: []string{"transport.use=memory"},
	}, h.catalog)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, h.catalog,
		core.WithDiscovery("house", core.Value[discovery.Env](discovery.Plugin(backend{h}))),
		core.WithTrust("house", core.Value[trust.Env](trust.Plugin(guests{h}))))
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

// backend is a discovery backend: it knows the nodes that have told it where they are.
type backend struct{ *house }

func (backend) Start(context.Context) error { return nil }
func (backend) Stop(context.Context) error  { return nil }

func (b backend) Lookup(_ context.Context, node name.Node) (discovery.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.rooms[node]
	if !ok {
		return discovery.Answer{}, fmt.Errorf("house: %s: %w", node, discovery.ErrNotFound)
	}
	return discovery.Answer{Endpoints: found}, nil
}

func (b backend) Publish(_ context.Context, r discovery.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rooms[r.Node] = r.Endpoints
	return nil
}

func (b backend) Withdraw(_ context.Context, node name.Node) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.rooms, node)
	return nil
}

// guests trusts whoever lives in the house. The handshake has proved the key already.
type guests struct{ *house }

func (guests) Start(context.Context) error { return nil }
func (guests) Stop(context.Context) error  { return nil }

func (g guests) Decide(_ context.Context, claim trust.Claim) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.rooms[claim.Node]; !ok {
		return fmt.Errorf("house: %s does not live here: %w", claim.Node, trust.ErrUntrusted)
	}
	return nil
}
