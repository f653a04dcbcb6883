// Command hello is the smallest cluster: two nodes in one program that find each other
// through a table, prove who they are over QUIC, and talk.
//
//	go run ./examples/hello
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
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
	dir, err := os.MkdirTemp("", "hello")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	greeter, err := start(ctx, dir, "greeter@127.0.0.1")
	if err != nil {
		return err
	}
	defer stop(ctx, greeter)
	_, err = greeter.Register(ctx, name.MustService("greet"), nil, core.Handle(greet))
	if err != nil {
		return err
	}

	caller, err := start(ctx, dir, "caller@127.0.0.1")
	if err != nil {
		return err
	}
	defer stop(ctx, caller)
	answer, err := core.Call[string, string](ctx, caller, "greet@greeter@127.0.0.1", "world")
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}

// start runs a node on a free port. The nodes find each other in a shared folder.
func start(ctx context.Context, dir, node string) (*core.Node, error) {
	cat := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: node, DataDir: filepath.Join(dir, node),
		Sets: []string{"discovery.file.dir=" + filepath.Join(dir, "discovery")},
	}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

func stop(ctx context.Context, n *core.Node) {
	if err := n.Stop(ctx); err != nil {
		log.Print(err)
	}
}

func greet(_ context.Context, name string) (string, error) { return "hello, " + name, nil }
