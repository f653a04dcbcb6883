// Erlang is a phrase book: what Erlang programs say to each other across nodes, and how
// the same is said here. Each file is a chapter, each function a phrase, with theirs in
// words above and ours in code below. The program says all of them, among three nodes
// in one process on a network in memory that can be cut.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
	transportmemory "github.com/barrelp2p/barrel/plugins/transport-memory"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "erlang")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWorld(ctx, dir)
	defer func() { err = errors.Join(err, w.close()) }()
	if err != nil {
		return err
	}
	for _, chapter := range []struct {
		title   string
		phrases []func(context.Context, *world) error
	}{
		{"Nodes", []func(context.Context, *world) error{connect, watchNodes}},
		{"Messages", []func(context.Context, *world) error{sendByName, spawnThere, ask, dispatch}},
		{"Names", []func(context.Context, *world) error{register, ensure}},
		{"Supervision", []func(context.Context, *world) error{supervise, group}},
		{"Calls", []func(context.Context, *world) error{call, callLater, callMany, mapOver}},
		{"Partitions", []func(context.Context, *world) error{vote, partition}},
	} {
		fmt.Println(chapter.title)
		for _, phrase := range chapter.phrases {
			if err := phrase(ctx, w); err != nil {
				return fmt.Errorf("%s: %w", chapter.title, err)
			}
		}
	}
	return nil
}

// world is three nodes that know each other, and the network between them.
type world struct {
	network *transportmemory.Network
	a, b, c *core.Node
}

func newWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{network: transportmemory.NewNetwork()}
	var err error
	for text, node := range map[string]**core.Node{"a@h": &w.a, "b@h": &w.b, "c@h": &w.c} {
		if *node, err = w.node(ctx, dir, text); err != nil {
			return w, err
		}
	}
	for _, joiner := range []*core.Node{w.b, w.c} {
		if err := joiner.Join(ctx, w.a.Name()); err != nil {
			return w, err
		}
	}
	return w, until(ctx, func() bool { return len(w.a.Alive())+len(w.b.Alive())+len(w.c.Alive()) == 9 })
}

func (w *world) node(ctx context.Context, dir, text string) (*core.Node, error) {
	cat := plugins.All()
	cat.Transport = []transport.Factory{w.network.Factory()}
	cfg, err := core.Load(config.Sources{Name: text, DataDir: filepath.Join(dir, text), Sets: []string{
		"transport.use=memory", "transport.memory.heartbeat=50ms", "transport.memory.idle_timeout=250ms",
		"membership.use=full", "membership.full.suspect_timeout=200ms", "membership.full.retry=100ms", "membership.full.retry_max=200ms",
		"discovery.file.dir=" + filepath.Join(dir, "discovery"), "bootstrap.retry=200ms", "registry.ormap.anti_entropy=500ms",
	}}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat, core.WithoutSocket())
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

func (w *world) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, n := range []*core.Node{w.c, w.b, w.a} {
		if n != nil {
			err = errors.Join(err, n.Stop(ctx))
		}
	}
	return err
}

// cut parts one node from the two others, or lets them meet again.
func (w *world) cut(node *core.Node, apart bool) {
	for _, other := range []*core.Node{w.a, w.b, w.c} {
		if other == node {
			continue
		}
		if apart {
			w.network.Cut(node.Name(), other.Name())
		} else {
			w.network.Heal(node.Name(), other.Name())
		}
	}
}

// until waits for something that becomes true in the end.
func until(ctx context.Context, cond func() bool) error {
	for !cond() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

func service(text string) name.Service { return name.MustService(text) }
