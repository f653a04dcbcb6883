package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	demoLogTail  = 8 << 10         // bytes of a child's log that are kept
	childGrace   = 8 * time.Second // to leave and stop
	childReady   = 15 * time.Second
	childMaxLine = 4 << 10
)

// child is a process that the demo started.
type child struct {
	cmd  *exec.Cmd
	out  *firstLine
	log  *tailBuffer
	done chan struct{} // closed when it has ended; then err is set
	err  error

	lifeline *os.File // the end whose closing stops a tied process; nil if it is not tied
}

// newChild makes a process in a group of its own, so that an interrupt from the
// terminal reaches the demo only, which then decides the order.
func newChild(exe string, env []string, args ...string) *child {
	c := &child{
		cmd: exec.CommandContext(context.Background(), exe, args...), // stopped in order, not by a context
		out: newFirstLine(), log: &tailBuffer{limit: demoLogTail}, done: make(chan struct{}),
	}
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = env, c.out, c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

func (c *child) start() error {
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
		if c.lifeline != nil {
			c.lifeline.Close()
		}
	}()
	return nil
}

// startTied starts a process, a node, that stops when this one ends, however it ends.
// Each has a pipe of its own: nodes that share one would share its blocking mode.
func (c *child) startTied() error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	c.lifeline = ours
	c.cmd.ExtraFiles = []*os.File{theirs} // theirs is file 3
	c.cmd.Env = append(slices.Clone(c.cmd.Env), lifelineVariable+"=3")
	if err := c.start(); err != nil {
		ours.Close()
		return err
	}
	return nil
}

// line waits for the first line that the process prints.
func (c *child) line(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, childReady)
	defer cancel()
	select {
	case line := <-c.out.line:
		return line, nil
	case <-c.done:
		return "", fmt.Errorf("ended before it was ready: %w", c.result())
	case <-ctx.Done():
		return "", fmt.Errorf("not ready: %w", ctx.Err())
	}
}

func (c *child) result() error {
	if c.err == nil {
		return errors.New("exit status 0")
	}
	return c.err
}

// stop asks the process to end, and kills it if it does not.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(childGrace)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.err
	case <-timer.C:
		c.kill()
		return fmt.Errorf("did not stop within %s of SIGTERM", childGrace)
	}
}

// kill ends the process at once, as a power cut would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// logged waits for a line of the log that has a text.
func (c *child) logged(ctx context.Context, text string) (string, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for line := range strings.Lines(c.log.String()) {
			if strings.Contains(line, text) {
				return strings.TrimSpace(line), nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("no %q in the log: %w", text, ctx.Err())
		}
	}
}

// firstLine is a writer that keeps the first line and drops the rest.
type firstLine struct {
	mu   sync.Mutex
	data []byte
	told bool
	line chan string
}

func newFirstLine() *firstLine { return &firstLine{line: make(chan string, 1)} }

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told {
		return len(p), nil
	}
	f.data = append(f.data, p...)
	if end := bytes.IndexByte(f.data, '\n'); end >= 0 || len(f.data) > childMaxLine {
		f.told = true
		f.line <- strings.TrimSpace(string(f.data[:max(end, 0)]))
	}
	return len(p), nil
}
