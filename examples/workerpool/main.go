// Command workerpool spreads work over workers on several nodes. Each worker says in its
// metadata how busy it is, and changes that in place as it works; a caller asks for the
// least busy one. The caller keeps references of its own, and drops one as soon as an
// event says that it is gone: nobody is polled.
//
//	go run ./examples/workerpool
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/plugins"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "workerpool")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	caller, err := start(ctx, dir, "caller@127.0.0.1")
	if err != nil {
		return err
	}
	defer stop(caller)
	cache, err := watch(ctx, caller)
	if err != nil {
		return err
	}
	defer cache.close()
	workers := map[string]*worker{}
	for _, node := range []string{"w1@127.0.0.1", "w2@127.0.0.1", "w3@127.0.0.1"} {
		w, err := hire(ctx, dir, node)
		if err != nil {
			return err
		}
		defer stop(w.node)
		workers[node] = w
	}
	return play(ctx, caller, cache, workers)
}

// play shows all of it. What it prints does not depend on chance.
func play(ctx context.Context, caller *core.Node, cache *cache, workers map[string]*worker) error {
	if err := cache.until(ctx, func() bool { return cache.count() == 3 }); err != nil {
		return err
	}
	fmt.Println("workers:", cache.count())
	for _, loads := range []map[string]int{
		{"w1@127.0.0.1": 7, "w2@127.0.0.1": 2, "w3@127.0.0.1": 5},
		{"w2@127.0.0.1": 9}, // it has got busy
	} {
		if err := publish(ctx, cache, workers, loads); err != nil {
			return err
		}
		if err := job(ctx, caller); err != nil {
			return err
		}
	}
	if err := workers["w3@127.0.0.1"].reg.Close(); err != nil {
		return err
	}
	if err := cache.until(ctx, func() bool { return cache.count() == 2 }); err != nil {
		return err
	}
	fmt.Println("workers:", cache.count())
	return job(ctx, caller)
}

// publish has workers say how busy they are, and waits until the caller has heard it.
func publish(ctx context.Context, cache *cache, workers map[string]*worker, loads map[string]int) error {
	for node, load := range loads {
		if err := workers[node].set(ctx, load); err != nil {
			return err
		}
		if err := cache.until(ctx, func() bool { return cache.load(node) == load }); err != nil {
			return err
		}
	}
	return nil
}

// job asks for the least busy worker, each time anew: who that is changes from one job to
// the next. A handle (caller.Service) would stay with one worker as long as it is there.
func job(ctx context.Context, caller *core.Node) error {
	least, err := caller.Whereis(ctx, name.MustService("worker"), core.By(core.Least("load")))
	if err != nil {
		return err
	}
	answer, err := caller.Call(ctx, least.Ref.String(), []byte("a job"))
	if err != nil {
		return err
	}
	fmt.Println(string(answer))
	return nil
}

// worker is a service on a node of its own.
type worker struct {
	node *core.Node
	reg  *core.Registration
	jobs atomic.Int64
}

func hire(ctx context.Context, dir, node string) (*worker, error) {
	n, err := start(ctx, dir, node)
	if err != nil {
		return nil, err
	}
	w := &worker{node: n}
	w.reg, err = n.Register(ctx, name.MustService("worker"), map[string]string{"load": "0"}, w.work)
	return w, err
}

func (w *worker) work(_ context.Context, m core.Message) (any, error) {
	w.jobs.Add(1)
	return fmt.Appendf(nil, "%s did %s", w.node.Name(), m.Bytes()), nil
}

// set says how busy the worker is. Everybody hears of it; the registration stays the same.
func (w *worker) set(ctx context.Context, load int) error {
	return w.reg.Update(ctx, map[string]string{"load": strconv.Itoa(load)})
}

// start runs a node on a free port. The nodes find each other in a shared folder.
func start(ctx context.Context, dir, node string) (*core.Node, error) {
	cat := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: node, Listen: "127.0.0.1:0", DataDir: filepath.Join(dir, node), Join: []string{"caller@127.0.0.1"},
		Sets: []string{"discovery.file.dir=" + filepath.Join(dir, "discovery"), "bootstrap.retry=500ms"},
	}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat, core.WithoutSocket())
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

func stop(n *core.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		log.Print(err)
	}
}
