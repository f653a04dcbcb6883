package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// vote: a proposal goes to all nodes, and a majority decides. Theirs does not count who
// rejects, and begins to wait anew with every vote.
func vote(ctx context.Context, w *world) error {
	for i, n := range []*core.Node{w.a, w.b, w.c} {
		_, err := core.Voter(n, "budget", func(_ context.Context, _ name.Node, amount int) bool { return amount <= 100*(i+1) })
		if err != nil {
			return err
		}
	}
	nodes := []name.Node{w.a.Name(), w.b.Name(), w.c.Name()}
	for _, amount := range []int{150, 250} {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := core.Propose(short, w.a, "budget", nodes, amount)
		cancel()
		switch {
		case err == nil:
			say("%d: majority", amount)
		case errors.Is(err, core.ErrNoMajority):
			say("%d: no majority", amount)
		default:
			return err
		}
	}
	return nil
}

// partition: the nodes that are expected are compared with those that are there, and
// something is done when all are back. Theirs counts, and takes a node twice or itself
// for another.
func partition(ctx context.Context, w *world) error {
	expected := w.a.Expect(w.a.Name(), w.b.Name(), w.c.Name())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan string, 8)
	go func() {
		_ = expected.Watch(ctx, func(p core.Presence) {
			seen <- fmt.Sprintf("missing %v, majority here: %v", p.Missing, p.Majority())
		}, func(core.Presence) { seen <- "healed" })
	}()
	say("%s", <-seen)
	w.cut(w.c, true)
	say("%s", <-seen)
	there := w.c.Expect(w.a.Name(), w.b.Name())
	if err := until(ctx, func() bool { return len(there.Check().Missing) == 2 }); err != nil {
		return err
	}
	say("on the other side: majority %v", there.Check().Majority())
	w.cut(w.c, false)
	say("%s", <-seen)
	say("%s", <-seen)
	return w.a.Global().Sync(ctx)
}
