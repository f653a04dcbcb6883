// Command relay is two nodes whose link goes through a UDP relay: a stand-in for a tunnel,
// a SOCKS proxy or whatever else leads where packets do not go by themselves.
//
//	go run ./examples/relay
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/plugins"
	transportquic "github.com/barrelp2p/barrel/plugins/transport-quic"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	there, err := start(ctx, dir, "there@127.0.0.1", nil)
	if err != nil {
		return err
	}
	defer stop(ctx, there)
	if _, err = there.Register(ctx, name.MustService("greet"), nil, core.Handle(greet)); err != nil {
		return err
	}
	at := there.Addresses()[0]
	between, err := newRelay(ctx, at.String())
	if err != nil {
		return err
	}
	defer between.close()

	here, err := start(ctx, dir, "here@127.0.0.1", through(at, between.address()))
	if err != nil {
		return err
	}
	defer stop(ctx, here)
	answer, err := core.Call[string, string](ctx, here, "greet@there@127.0.0.1", "here")
	if err != nil {
		return err
	}
	out, back := between.packets()
	fmt.Println(answer)
	fmt.Println("packets went through the relay, there and back:", out > 0 && back > 0)
	return nil
}

func greet(_ context.Context, name string) (string, error) {
	return "hello " + name + ", from there", nil
}

// through sends packets for one address to a relay, and all others straight.
func through(at name.Address, relay net.Addr) transportquic.Path {
	return func(ctx context.Context, to name.Address) (net.PacketConn, net.Addr, error) {
		if to != at {
			return nil, nil, nil
		}
		var listen net.ListenConfig
		socket, err := listen.ListenPacket(ctx, "udp", "127.0.0.1:0")
		return socket, relay, err
	}
}

// start runs a node on a free port. Its links go by path, straight without one.
func start(ctx context.Context, dir, node string, path transportquic.Path) (*core.Node, error) {
	cat := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: node, DataDir: filepath.Join(dir, node),
		Sets: []string{"discovery.file.dir=" + filepath.Join(dir, "discovery")},
	}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat, core.WithTransport("quic", func(env transport.Env) (transport.Plugin, error) {
		settings := transportquic.Factory().Settings().(*transportquic.Settings)
		settings.Listen = "127.0.0.1:0"
		return transportquic.NewVia(env, settings, path)
	}))
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
