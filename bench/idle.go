package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/barrelp2p/barrel/core"
)

// idle is what a process takes that waits for a message, of very many in one node. That
// node has a process of the system to itself, where nothing else is measured.
func (b *bench) idle(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, os.Args[0], "-be-idle", "-idle", strconv.Itoa(b.idlers))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var each, stack float64
	if _, err := fmt.Sscan(string(out), &each, &stack); err != nil {
		return err
	}
	b.rows = append(b.rows,
		row{what: fmt.Sprint(b.idlers, " idle processes in one node, each"), node: each, unit: "B", want: promise{most: 4096}},
		row{what: "of it stack", node: stack, unit: "B"})
	return nil
}

// beIdle is that process: it prints what each of its processes takes, and how much of it
// is stack.
func beIdle(ctx context.Context, n int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	node, err := startNode(ctx, dir, "idle@127.0.0.1")
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		_, err := node.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error { _, err := self.Receive(ctx); return err }})
		if err != nil {
			return err
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	stack := float64(after.StackInuse - before.StackInuse)
	_, err = fmt.Println((float64(after.HeapAlloc-before.HeapAlloc)+stack)/float64(n), stack/float64(n))
	return err // the end of the system's process ends the others sooner than the node would
}
