package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// actStart starts the nodes: b, found by a table; c, found by DNS; a, found by a file.
func (s *stage) actStart(ctx context.Context) error {
	s.title("Three nodes start. Each makes itself a key; nobody knows anybody.")
	b, err := s.start(ctx, "b@127.0.0.1", "discovery.use=[static, file]")
	if err != nil {
		return err
	}
	table := fmt.Sprintf("discovery.static.nodes={%s: [%q]}", b.name, b.address)
	c, err := s.start(ctx, "c@c.demo.test", "discovery.use=[static, dns]", table, "bootstrap.contact_nodes=["+b.name.String()+"]")
	if err != nil {
		return err
	}
	s.dns.add(c.name, c.address.Port())
	_, err = s.start(ctx, "a@127.0.0.1", "discovery.use=[static, file, dns]", table, "discovery.dns.server="+s.dns.address,
		"bootstrap.contact_nodes=["+c.name.String()+"]")
	return err
}

// start runs a node until it is ready.
func (s *stage) start(ctx context.Context, node string, sets ...string) (*actor, error) {
	n := &actor{name: name.MustNode(node)}
	n.dir = filepath.Join(s.dir, n.name.Base())
	args := []string{"run", "--name", node, "--listen", "127.0.0.1:0", "--data-dir", n.dir,
		"--set", "discovery.file.dir=" + filepath.Join(s.dir, "discovery")}
	for _, set := range sets {
		args = append(args, "--set", set)
	}
	n.child = newChild(s.exe, s.env, args...)
	if err := n.startTied(); err != nil {
		return nil, fmt.Errorf("node %s: %w", node, err)
	}
	s.nodes = append(s.nodes, n)
	line, err := n.line(ctx)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", node, err)
	}
	s.quote(line)
	address := line[strings.LastIndexByte(line, ' ')+1:]
	if n.address, err = name.ParseAddress(address); err != nil {
		return nil, fmt.Errorf("node %s: said %q: %w", node, line, err)
	}
	return n, nil
}

// node is a running node by the first half of its name.
func (s *stage) node(base string) *actor {
	for _, n := range s.nodes {
		if n.name.Base() == base {
			return n
		}
	}
	return nil
}

// actDiscovery shows that each node is found in another way.
func (s *stage) actDiscovery(ctx context.Context) error {
	s.title("Where is everybody? A chain of backends; the first that knows the name wins.")
	a, b, c := s.node("a"), s.node("b"), s.node("c")
	for _, way := range []struct {
		asker, asked *actor
		how, where   string
	}{
		{b, a, "file", "a wrote a file into a folder that b watches:"},
		{a, b, "static", "b stands in a table of a's settings:"},
		{a, c, "dns", "c has an SRV record: " + s.dns.record(c.name)},
	} {
		s.say("  %s", way.where)
		out, err := s.barrel(ctx, way.asker, 0, "discover", way.asked.name.String(), "--explain")
		if err != nil {
			return err
		}
		if !strings.Contains(out, "says "+way.how) {
			return fmt.Errorf("%s was found by something else than %s", way.asked.name, way.how)
		}
	}
	return nil
}

func (s *stage) actMembers(ctx context.Context) error {
	s.title("They joined through one contact each, proved their keys, and pinned each other's.")
	for _, n := range s.nodes {
		if err := s.quietly(ctx, n, "wait", "members", "3", "--timeout", "15s"); err != nil {
			return err
		}
	}
	if _, err := s.barrel(ctx, s.node("a"), 0, "members"); err != nil {
		return err
	}
	_, err := s.barrel(ctx, s.node("a"), 0, "trust", "list")
	return err
}

func (s *stage) actCall(ctx context.Context) error {
	s.title("A service on b, made of a shell command, is called from a.")
	a, b := s.node("a"), s.node("b")
	args := []string{"register", "shout", "--exec", "tr a-z A-Z"}
	s.prompt(b, append(args, "&"))
	holder := newChild(s.exe, s.envFor(b), args...) // it ends with its node
	if err := holder.start(); err != nil {
		return err
	}
	s.crew = append(s.crew, holder)
	if err := s.quietly(ctx, b, "wait", "service", "shout", "--timeout", "10s"); err != nil {
		return err
	}
	out, err := s.barrel(ctx, a, 0, "call", "shout@"+b.name.String(), "hello from a")
	if err == nil && !strings.Contains(out, "HELLO FROM A") {
		err = fmt.Errorf("the answer was %q", out)
	}
	return err
}

// actStranger has a node that trusts nobody refuse, and shows the reason on both sides.
func (s *stage) actStranger(ctx context.Context) error {
	s.title("d is strict: it talks only to keys that its operator pinned, and it knows none.")
	b := s.node("b")
	d, err := s.start(ctx, "d@127.0.0.1", "trust.use=strict")
	if err != nil {
		return err
	}
	if _, err := s.barrel(ctx, d, exitStatusRefused, "join", b.name.String()); err != nil {
		return err
	}
	s.say("  exit status %d: refused. And b knows why, too; from its log:", exitStatusRefused)
	bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	line, err := b.logged(bounded, `msg="handshake refused" peer=`+d.name.String())
	if err != nil {
		return fmt.Errorf("node %s: %w", b.name, err)
	}
	_, line, _ = strings.Cut(line, "msg=")
	line, _, _ = strings.Cut(line, " suppressed=")
	s.quote(line)
	return d.stop()
}

// exitStatusRefused is the exit status of a command that trust refused.
const exitStatusRefused = 5

// barrel runs a command against a node and shows it and what it printed. Another exit
// status than the one wanted is an error.
func (s *stage) barrel(ctx context.Context, n *actor, want int, args ...string) (string, error) {
	s.prompt(n, args)
	out, status, err := s.exec(ctx, n, args)
	if err != nil {
		return "", err
	}
	s.quote(out)
	if status != want {
		return "", fmt.Errorf("barrel %s at %s: exit status %d, want %d", strings.Join(args, " "), n.name, status, want)
	}
	return out, nil
}

// quietly is barrel without showing it, unless it fails.
func (s *stage) quietly(ctx context.Context, n *actor, args ...string) error {
	out, status, err := s.exec(ctx, n, args)
	if err == nil && status != 0 {
		err = fmt.Errorf("barrel %s at %s: exit status %d: %s", strings.Join(args, " "), n.name, status, strings.TrimSpace(out))
	}
	return err
}

func (s *stage) exec(ctx context.Context, n *actor, args []string) (string, int, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, s.exe, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.envFor(n), &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", 0, fmt.Errorf("barrel %s at %s: %w", strings.Join(args, " "), n.name, ctx.Err())
	}
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		return "", 0, err
	}
	return out.String(), cmd.ProcessState.ExitCode(), nil
}

func (s *stage) envFor(n *actor) []string {
	return append(append([]string{}, s.env...), "BARREL_SOCKET="+n.socket())
}

// prompt shows a command as if it were typed on the machine of a node.
func (s *stage) prompt(n *actor, args []string) {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.Contains(arg, " ") {
			words[i] = "'" + arg + "'"
		}
	}
	s.say("  %s %s", s.paint.faint(n.name.Base()+"$"), "barrel "+strings.Join(words, " "))
}
