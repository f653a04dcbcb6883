// Package discoveryexec is the discovery backend of one line: a command that prints
// where a node is. It fits whatever can be asked by a script: an inventory, a cloud's
// command line, a database.
//
// The command is run for each question, in a group of its own, with a clean
// environment and a time limit. It is no service that is kept running; for that there
// are plugins in processes of their own.
//
// Operators come here for sources that have no plugin:
//
//	discovery:
//	  use: [exec]
//	  exec: {command: /usr/local/bin/where-is}
package discoveryexec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

var (
	_ discovery.Plugin = (*backend)(nil)
	_ plugin.Reloader  = (*backend)(nil)
)

// Factory makes the backend "exec".
func Factory() discovery.Factory {
	return plugin.Define("exec", "a command that prints where a node is", defaults, build)
}

func build(env discovery.Env, s *Settings) (discovery.Plugin, error) {
	b := &backend{env: env}
	b.current.Store(newVersion(s))
	return b, nil
}

type backend struct {
	env     discovery.Env
	current atomic.Pointer[version]
}

// version is one state of the settings.
type version struct {
	Settings

	room chan struct{}
}

func newVersion(s *Settings) *version {
	return &version{Settings: *s, room: make(chan struct{}, s.AtOnce)}
}

// Start fails if there is no such command.
func (b *backend) Start(context.Context) error { return runnable(b.current.Load().Command) }

func runnable(command string) error {
	info, err := os.Stat(command)
	switch {
	case err != nil:
		return fmt.Errorf("discovery.exec.command: %w", err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("discovery.exec.command: %s cannot be executed: run chmod +x: %w", command, fs.ErrPermission)
	}
	return nil
}

// Stop has nothing to stop: whatever runs, runs in a call.
func (b *backend) Stop(context.Context) error { return nil }

// Reload takes other settings for the next call.
func (b *backend) Reload(_ context.Context, settings any) error {
	s, ok := settings.(*Settings)
	if !ok {
		return fmt.Errorf("discovery exec: settings are a %T, not a %T", settings, s)
	}
	if err := runnable(s.Command); err != nil {
		return err
	}
	b.current.Store(newVersion(s))
	return nil
}

// The statuses with which a command says something.
const (
	statusNotFound = 6 // as barrel's own
)

// Lookup runs the command. What it prints is the answer; nothing, or exit status 6, is
// that the node is not known; any other status is that it could not tell.
func (b *backend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	v := b.current.Load()
	select {
	case v.room <- struct{}{}:
		defer func() { <-v.room }()
	case <-ctx.Done():
		return discovery.Answer{}, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return discovery.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	stdout, stderr := &bounded{most: maxOutput}, &bounded{most: maxComplaint}
	err := v.command(ctx, node, stdout, stderr).Run()
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return discovery.Answer{}, fmt.Errorf("%s: no answer in time: %w", v.Command, ctx.Err())
	case errors.As(err, &exited) && exited.ExitCode() == statusNotFound:
		return discovery.Answer{}, discovery.ErrNotFound
	case err != nil:
		return discovery.Answer{}, fmt.Errorf("%s: %w%s", v.Command, err, stderr.lastLine())
	case stdout.over:
		return discovery.Answer{}, fmt.Errorf("%s: it printed more than %d bytes", v.Command, maxOutput)
	}
	return parse(stdout.text.Bytes(), v)
}

// command is one run, killed with all that it has started when ctx ends.
func (v *version) command(ctx context.Context, node name.Node, stdout, stderr *bounded) *exec.Cmd {
	cmd := exec.CommandContext(ctx, v.Command, append(slices.Clone(v.Args), node.String())...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "BARREL_NODE=" + node.String()}
	for _, key := range slices.Sorted(maps.Keys(v.Env)) {
		cmd.Env = append(cmd.Env, key+"="+v.Env[key])
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 100 * time.Millisecond // for somebody who holds its output open
	return cmd
}

// lastLine is what a command that failed said last, for the error.
func (b *bounded) lastLine() string {
	lines := strings.Split(strings.TrimSpace(b.text.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + printable(last)
	}
	return ""
}
