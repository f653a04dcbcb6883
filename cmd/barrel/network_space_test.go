//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// space is a network namespace without a name. It lives as long as a thread of this
// process, the processes that were started in it, or its file: when the test ends,
// however it ends, the system takes it away and all interfaces with it.
type space struct {
	file *os.File
	work chan func()
	gone chan struct{}
}

func newSpace() (*space, error) {
	s := &space{work: make(chan func()), gone: make(chan struct{})}
	made := make(chan error)
	go s.inhabit(made)
	if err := <-made; err != nil {
		return nil, err
	}
	return s, nil
}

// inhabit is the one goroutine whose thread is in the namespace. The thread ends with
// it, as it is never unlocked.
func (s *space) inhabit(made chan<- error) {
	defer close(s.gone)
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		made <- fmt.Errorf("new network namespace: %w", err)
		return
	}
	var err error
	if s.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		made <- err
		return
	}
	made <- nil
	for do := range s.work {
		do()
	}
}

// do runs a function on the thread that is in the namespace: processes that it starts
// are in it as well, and die with the thread if they ask for it.
func (s *space) do(f func()) {
	done := make(chan struct{})
	s.work <- func() { defer close(done); f() }
	<-done
}

// path is how another process can name the namespace.
func (s *space) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd()) }

// ip runs the program ip in the namespace, once for each line of commands.
func (s *space) ip(commands string) error {
	for line := range strings.Lines(commands) {
		if err := s.run("ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

func (s *space) run(program string, args ...string) (err error) {
	if len(args) == 0 {
		return nil
	}
	s.do(func() {
		var out bytes.Buffer
		cmd := exec.CommandContext(context.Background(), program, args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err = cmd.Run(); err != nil {
			err = fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(out.String()))
		}
	})
	return err
}

func (s *space) close() {
	close(s.work)
	<-s.gone
	s.file.Close()
}

// probeSpaces finds out what forbids network tests on this machine, by trying all that
// they need.
func probeSpaces() error {
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("the program ip is missing: install iproute2")
	}
	hub, err := newSpace()
	if err != nil {
		return fmt.Errorf("%w: run the test as root", err)
	}
	defer hub.close()
	other, err := newSpace()
	if err != nil {
		return err
	}
	defer other.close()
	err = hub.ip(`link add br0 type bridge
		link add p1 type veth peer name eth0 netns ` + other.path())
	if err != nil {
		return fmt.Errorf("%w: the kernel needs bridges and veth", err)
	}
	return nil
}
