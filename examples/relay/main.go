// Command relay is two nodes whose link goes through a UDP relay, and then through another:
// stand-ins for tunnels, SOCKS proxies or whatever else leads where packets do not go by
// themselves.
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
	"sync/atomic"
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
	first, err := newRelay(ctx, at.String())
	if err != nil {
		return err
	}
	defer first.close()
	second, err := newRelay(ctx, at.String())
	if err != nil {
		return err
	}
	defer second.close()

	way := &switchable{node: there.Name()}
	way.relay.Store(first)
	here, err := start(ctx, dir, "here@127.0.0.1", way.path)
	if err != nil {
		return err
	}
	defer stop(ctx, here)
	if err := ask(ctx, here); err != nil {
		return err
	}
	fmt.Println("packets went through the relay, there and back:", first.carried())

	way.relay.Store(second) // and the link follows, with all that is on it
	if _, err := here.Migrate(ctx, there.Name()); err != nil {
		return err
	}
	first.close()
	if err := ask(ctx, here); err != nil {
		return err
	}
	fmt.Println("and through the other, when the first was gone:", second.carried())
	return nil
}

func ask(ctx context.Context, here *core.Node) error {
	answer, err := core.Call[string, string](ctx, here, "greet@there@127.0.0.1", "here")
	if err == nil {
		fmt.Println(answer)
	}
	return err
}

func greet(_ context.Context, name string) (string, error) {
	return "hello " + name + ", from there", nil
}

// switchable sends packets for one node to a relay, and all others straight.
type switchable struct {
	node  name.Node
	relay atomic.Pointer[relay]
}

func (s *switchable) path(ctx context.Context, node name.Node, _ name.Address) (net.PacketConn, net.Addr, error) {
	if node != s.node {
		return nil, nil, nil
	}
	socket, err := listen(ctx)
	return socket, s.relay.Load().address(), err
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
