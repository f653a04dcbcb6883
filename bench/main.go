// Command bench measures messages, calls and streams between two processes on one
// machine, and prints one table. Beside each figure of a node stand, measured in the same
// run, what raw quic-go does with an outbox and a mailbox and the same framing, which
// is the limit, and what gRPC over TLS does, which is a neighbour.
//
//	go run . [-check] [-seconds 2] [-only oneway,cpu,calls,stream,local,overload,idle] [-messages 10000] [-idle 1000000]
//
// It is a module of its own, so that the libraries that it compares with are not
// dependencies of anything else.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	serve := flag.Bool("serve", false, "be the other process")
	beIdler := flag.Bool("be-idle", false, "be the process with the idle ones")
	seconds := flag.Float64("seconds", 2, "for each figure")
	only := flag.String("only", "oneway,cpu,calls,stream,local,overload,idle", "what to measure; order, too")
	dir := flag.String("dir", "", "shared folder of the two processes")
	var o options
	flag.IntVar(&o.messages, "messages", 10000, "of each pair, for order")
	flag.IntVar(&o.idlers, "idle", 1_000_000, "processes in one node, for idle")
	flag.BoolVar(&o.check, "check", false, "exit with 1 if a promise was not kept")
	flag.Parse()
	o.each, o.only = time.Duration(*seconds*float64(time.Second)), strings.Split(*only, ",")
	ctx := context.Background()
	var err error
	defer profile(os.Getenv(map[bool]string{true: "PROF_S", false: "PROF_C"}[*serve]))()
	switch {
	case *serve:
		err = runServer(ctx, *dir)
	case *beIdler:
		err = beIdle(ctx, o.idlers)
	default:
		err = runClient(ctx, o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// options are what the command line says.
type options struct {
	each             time.Duration
	messages, idlers int
	only             []string
	check            bool
}

// addresses is what the server prints when it is ready.
type addresses struct{ Raw, GRPC string }

func runClient(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server := exec.CommandContext(ctx, os.Args[0], "-serve", "-dir", dir)
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { _ = in.Close(); _ = server.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	var at addresses
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		return err
	}
	b, err := newBench(ctx, dir, at, o)
	if err != nil {
		return err
	}
	defer b.close(ctx)
	if err := b.run(ctx, o.only); err != nil || !o.check {
		return err
	}
	return check(b.rows)
}

func runServer(ctx context.Context, dir string) error {
	raw, err := serveRaw(ctx)
	if err != nil {
		return err
	}
	rpc, err := serveGRPC()
	if err != nil {
		return err
	}
	node, err := serveNode(ctx, dir)
	if err != nil {
		return err
	}
	line, err := json.Marshal(addresses{Raw: raw, GRPC: rpc})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	_, _ = io.Copy(io.Discard, os.Stdin) // until the client has gone
	return node.Stop(ctx)
}
