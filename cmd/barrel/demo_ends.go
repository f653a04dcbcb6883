package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// noticeTimeout is how long the others may take to notice that a node is gone.
const noticeTimeout = 10 * time.Second

// actKill kills a node, as a power cut would.
func (s *stage) actKill(ctx context.Context) error {
	s.title("c is killed (SIGKILL): no good-bye, just silence.")
	c := s.node("c")
	begun := time.Now()
	c.kill()
	if err := s.noticed(ctx, c.name, begun, s.node("a"), "suspect", "down"); err != nil {
		return err
	}
	return s.noticed(ctx, c.name, begun, s.node("b"), "down")
}

// actLeave has a node leave in good order.
func (s *stage) actLeave(ctx context.Context) error {
	s.title("b leaves (SIGTERM): it says good-bye, and nobody takes it for a failure.")
	a, b := s.node("a"), s.node("b")
	begun := time.Now()
	left := make(chan error, 1)
	go func() { left <- b.stop() }()
	err := s.noticed(ctx, b.name, begun, a, "left")
	if stopped := <-left; err == nil && stopped != nil {
		err = fmt.Errorf("node %s: %w", b.name, stopped)
	}
	if err != nil {
		return err
	}
	_, err = s.barrel(ctx, a, 0, "members")
	return err
}

// noticed waits until a witness knows a node in each of the states, one after another,
// and tells how long that took. A state may be over before it was seen.
func (s *stage) noticed(ctx context.Context, gone name.Node, begun time.Time, witness *actor, states ...string) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	for len(states) > 0 {
		seen, err := awaitState(ctx, witness, gone, states)
		if err != nil {
			return err
		}
		s.say("    after %s: %s takes %s for %s", short(time.Since(begun)), witness.name, gone, s.paint.good(seen))
		states = states[slices.Index(states, seen)+1:]
	}
	return nil
}

// awaitState waits until the witness knows a node in one of the states.
func awaitState(ctx context.Context, witness *actor, gone name.Node, wanted []string) (string, error) {
	client := witness.client()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := "unknown"
	for {
		members, err := client.Members(ctx)
		if err != nil {
			return "", fmt.Errorf("%s, asked about %s (%s so far): %w", witness.name, gone, last, err)
		}
		for _, m := range members {
			if m.Node == gone {
				last = m.State
			}
		}
		if slices.Contains(wanted, last) {
			return last, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%s takes %s for %s, want %s: %w", witness.name, gone, last, strings.Join(wanted, " or "), ctx.Err())
		}
	}
}
