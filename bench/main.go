// Command bench measures messages, calls and streams between two processes on one
// machine, and prints one table. Beside each figure of a node stand, measured in the same
// run, what raw quic-go does with an outbox and a mailbox and the same framing, which
// is the limit, and what gRPC over TLS does, which is a neighbour.
//
//	go run . [-seconds 2] [-only oneway,cpu,calls,stream,local,overload] [-messages 10000]
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
	seconds := flag.Float64("seconds", 2, "for each figure")
	only := flag.String("only", "oneway,cpu,calls,stream,local,overload", "what to measure; order, too")
	messages := flag.Int("messages", 10000, "of each pair, for order")
	dir := flag.String("dir", "", "shared folder of the two processes")
	flag.Parse()
	ctx := context.Background()
	var err error
	defer profile(os.Getenv(map[bool]string{true: "PROF_S", false: "PROF_C"}[*serve]))()
	if *serve {
		err = runServer(ctx, *dir)
	} else {
		err = runClient(ctx, time.Duration(*seconds*float64(time.Second)), *messages, *only)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// addresses is what the server prints when it is ready.
type addresses struct{ Raw, GRPC string }

func runClient(ctx context.Context, each time.Duration, messages int, only string) error {
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
	b, err := newBench(ctx, dir, at, each, messages)
	if err != nil {
		return err
	}
	defer b.close(ctx)
	return b.run(ctx, strings.Split(only, ","))
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
