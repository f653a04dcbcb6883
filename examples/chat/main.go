// Command chat is chat rooms on a cluster. Any node hosts any room; a room is a process
// with a name, found by it from everywhere; who joins gets what anybody says. A member
// that dies is missed by its rooms, a room that dies by its members, and rooms that open
// and close elsewhere are told as they do.
//
//	go run ./examples/chat -name a@127.0.0.1 -dir /tmp/chat
//	go run ./examples/chat -name b@127.0.0.1 -dir /tmp/chat
//
// Then type: help. The nodes find each other through the folder. See docs/chat.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/plugins"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	node := flags.String("name", "", "name of this node, as a@127.0.0.1")
	dir := flags.String("dir", "chat-data", "folder that all nodes of this machine share")
	contact := flags.String("contact", "seed@127.0.0.1", "node through which to join")
	verbose := flags.Bool("v", false, "log to standard error")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := start(ctx, *node, *dir, *contact, *verbose)
	if err != nil {
		return err
	}
	defer stopNode(n)
	c, err := open(ctx, n, out)
	if err != nil {
		return err
	}
	defer c.close()
	c.print("ready %s", n.Name())
	return c.obey(ctx, in)
}

func start(ctx context.Context, node, dir, contact string, verbose bool) (*core.Node, error) {
	catalog := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: node, Listen: "127.0.0.1:0", DataDir: filepath.Join(dir, node),
		Sets: []string{"discovery.use=[file]", "discovery.file.dir=" + filepath.Join(dir, "discovery"), "bootstrap.contact_nodes=[" + contact + "]", "bootstrap.retry=500ms"},
	}, catalog)
	if err != nil {
		return nil, err
	}
	options := []core.Option{core.WithoutSocket()}
	if verbose {
		options = append(options, core.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	}
	n, err := core.New(cfg, catalog, options...)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

func stopNode(n *core.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
