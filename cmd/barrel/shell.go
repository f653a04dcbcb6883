package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

const (
	errorTail = 2 << 10         // bytes of standard error that an error shows
	shellWait = 2 * time.Second // for the output of a command that was stopped
)

// errTooMuch: a command writes more than an answer can hold.
var errTooMuch = errors.New("the answer is larger than 16 MiB")

// runShell answers a call by a shell command. When ctx ends, the command and what it
// started are killed.
func runShell(ctx context.Context, command string, d admin.Delivery, environ []string) ([]byte, error) {
	answer, complaint := &boundedBuffer{limit: admin.MaxPayload}, &tailBuffer{limit: errorTail}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(append([]string{}, environ...), "BARREL_FROM="+d.From.String())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(d.Payload), answer, complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = shellWait
	err := cmd.Run()
	var exited *exec.ExitError
	switch {
	case answer.full:
		return nil, errTooMuch
	case err == nil:
		return answer.data, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("stopped, as nobody waits any more: %w", ctx.Err())
	case errors.As(err, &exited):
		return nil, fmt.Errorf("%w: %s", exited, orDash(strings.TrimSpace(complaint.String())))
	}
	return nil, err
}

// boundedBuffer refuses to grow beyond its limit.
type boundedBuffer struct {
	limit int
	data  []byte
	full  bool // more came than fits
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.limit {
		b.full = true
		return 0, errTooMuch
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	mu    sync.Mutex
	limit int
	data  []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if extra := len(t.data) - t.limit; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.data), "")
}
