package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the program itself, when it is told to be.
func TestMain(m *testing.M) {
	if os.Getenv("CHAT_CHILD") != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// person is a chat process, and what it printed.
type person struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *os.File // stderr, kept for failures

	mu    sync.Mutex
	lines []string
	seen  int // lines that a wait has used
	more  chan struct{}
}

func start3(t *testing.T, dir, name string) *person {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, name: name, more: make(chan struct{}, 1)}
	p.cmd = exec.Command(self, "-name", name+"@127.0.0.1", "-dir", dir)
	p.cmd.Env = append(os.Environ(), "CHAT_CHILD=1", "GORACE=halt_on_error=1 exitcode=66")
	if p.out, err = os.CreateTemp(dir, "stderr"); err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.out
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stdout)
	t.Cleanup(p.end)
	p.sees("ready " + name + "@127.0.0.1")
	return p
}

func (p *person) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

func (p *person) end() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	text, _ := os.ReadFile(p.out.Name())
	p.out.Close()
	if strings.Contains(string(text), "DATA RACE") || p.t.Failed() && len(text) > 0 {
		p.t.Errorf("%s: standard error:\n%s", p.name, text)
	}
	if p.t.Failed() {
		p.t.Logf("%s printed:\n%s", p.name, strings.Join(p.lines, "\n"))
	}
}

func (p *person) types(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatalf("%s: %q: %v", p.name, line, err)
	}
}

// sees waits for a line that contains text, after those that were waited for before. It
// passes over others.
func (p *person) sees(text string) {
	p.t.Helper()
	deadline := time.After(40 * time.Second)
	for {
		p.mu.Lock()
		for i := p.seen; i < len(p.lines); i++ {
			if strings.Contains(p.lines[i], text) {
				p.seen = i + 1
				p.mu.Unlock()
				return
			}
		}
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-deadline:
			p.t.Fatalf("%s does not see %q", p.name, text)
		}
	}
}

// asks repeats a command until its answer is as it should be.
func (p *person) asks(command, answer string) {
	p.t.Helper()
	for range 100 {
		p.types(command)
		p.mu.Lock()
		from := len(p.lines)
		p.mu.Unlock()
		for range 20 {
			time.Sleep(20 * time.Millisecond) // between two questions, not for an answer
			p.mu.Lock()
			said := strings.Join(p.lines[from:], "\n")
			p.mu.Unlock()
			if strings.Contains(said, answer) {
				return
			}
		}
	}
	p.t.Fatalf("%s: %q is never answered with %q", p.name, command, answer)
}

// TestWalkThrough plays the handbook with three real processes: rooms anywhere, found by
// name, told as they open and close; join, leave, say; the death of a member noticed by
// its room, the death of a room by its members; and a node that comes back.
func TestWalkThrough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, one, two := start3(t, dir, "seed"), start3(t, dir, "node1"), start3(t, dir, "node2")

	two.types("create general")
	for _, p := range []*person{seed, one, two} {
		p.sees("*** room general available on node2@127.0.0.1")
	}
	seed.types("create lobby")
	for _, p := range []*person{seed, one, two} {
		p.sees("*** room lobby available on seed@127.0.0.1")
		p.asks("rooms", "rooms: general lobby")
	}

	two.types("join general")
	two.sees("[general] *** node2@127.0.0.1 joined")
	one.types("join general")
	for _, p := range []*person{one, two} {
		p.sees("[general] *** node1@127.0.0.1 joined")
	}
	seed.types("join general")
	for _, p := range []*person{seed, one, two} {
		p.sees("[general] *** seed@127.0.0.1 joined")
	}
	seed.asks("who general", "in general: node1@127.0.0.1 node2@127.0.0.1 seed@127.0.0.1")
	one.types("say general hello, barrel")
	for _, p := range []*person{seed, one, two} {
		p.sees("[general] <node1@127.0.0.1> hello, barrel")
	}
	one.types("join general")
	one.sees("already in the room")
	one.types("say nowhere hello")
	one.sees("service not found")

	seed.types("leave general")
	two.sees("[general] *** seed@127.0.0.1 left")
	seed.asks("who general", "in general: node1@127.0.0.1 node2@127.0.0.1")

	_ = one.cmd.Process.Kill() // a member dies: its room notices
	two.sees("[general] *** node1@127.0.0.1 is gone: ")
	seed.asks("who general", "in general: node2@127.0.0.1")

	again := start3(t, dir, "node1")
	again.sees("*** room general available on node2@127.0.0.1")
	again.asks("rooms", "rooms: general lobby")
	again.types("join general")
	two.sees("[general] *** node1@127.0.0.1 joined")
	again.sees("you are in general")

	_ = two.cmd.Process.Kill() // a room dies: its members notice
	again.sees("*** room general left node2@127.0.0.1: node down; you are out")
	seed.sees("*** room general left node2@127.0.0.1: node down")
	seed.asks("rooms", "rooms: lobby")

	seed.types("close lobby")
	again.sees("*** room lobby left seed@127.0.0.1")
	again.types("quit")
	seed.types("quit")
	for _, p := range []*person{again, seed} {
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// A room is opened once on a node, and closed it is gone: it can be opened again, and
// follows nobody any more.
func TestARoomIsClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, one := start3(t, dir, "seed"), start3(t, dir, "node1")
	for _, room := range []string{"lobby", "hall"} {
		seed.types("create " + room)
		seed.sees("*** room " + room + " available on seed@127.0.0.1")
		seed.types("join " + room)
		one.sees("*** room " + room + " available")
		one.types("join " + room)
		seed.sees("[" + room + "] *** node1@127.0.0.1 joined")
	}
	seed.types("create lobby")
	seed.sees("error: room lobby is open here already")
	seed.types("close lobby")
	one.sees("*** room lobby left seed@127.0.0.1")
	seed.asks("rooms", "rooms: hall")

	_ = one.cmd.Process.Kill()
	seed.sees("[hall] *** node1@127.0.0.1 is gone")
	seed.types("create lobby")
	seed.sees("*** room lobby available on seed@127.0.0.1")
	seed.asks("who lobby", "in lobby: ")
	seed.mu.Lock()
	defer seed.mu.Unlock()
	for _, line := range seed.lines {
		if strings.Contains(line, "[lobby]") && strings.Contains(line, "is gone") {
			t.Errorf("a closed room says %q", line)
		}
	}
}
