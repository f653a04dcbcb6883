package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// propose: a proposal goes to all nodes, and a majority decides. Theirs counts a rejection
// as nothing, and waits anew with every vote.
func propose(ctx context.Context, w *world) error {
	for i, n := range []*core.Node{w.a, w.b, w.c} {
		_, err := core.Voter(n, "budget", func(_ context.Context, _ name.Node, amount int) bool { return amount <= 100*(i+1) })
		if err != nil {
			return err
		}
	}
	for _, amount := range []int{150, 250} {
		_, err := core.Propose(ctx, w.a, "budget", w.a.Alive(), amount)
		switch {
		case err == nil:
			w.say("%d: majority", amount)
		case errors.Is(err, core.ErrNoMajority):
			w.say("%d: no majority", amount)
		default:
			return err
		}
	}
	return nil
}

// voteInTime: {error, timeout} when too few have voted in time. Ours says who.
func voteInTime(ctx context.Context, w *world) error {
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		_, err := core.Voter(n, "topic", func(ctx context.Context, _ name.Node, _ string) bool {
			if n == w.c {
				<-ctx.Done() // c cannot make up its mind
			}
			return n == w.a
		})
		if err != nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	tally, err := core.Propose(short, w.a, "topic", w.a.Alive(), "lunch")
	w.say("timed out: %v; for it %v, against %v, silent %v", errors.Is(err, context.DeadlineExceeded), tally.Accepted, tally.Rejected, tally.Silent)
	return nil
}

// detect: ExpectedNodes -- nodes(). Theirs misses itself, because it is not in nodes().
func detect(ctx context.Context, w *world) error {
	expected := w.a.Expect(w.a.Name(), w.b.Name(), w.c.Name())
	w.say("missing %v", expected.Check().Missing)
	w.cut(w.c, true)
	if err := until(ctx, func() bool { return len(expected.Check().Missing) == 1 }); err != nil {
		return err
	}
	here, there := expected.Check(), w.c.Expect(w.a.Name(), w.b.Name(), w.c.Name())
	w.say("missing %v, majority here: %v", here.Missing, here.Majority())
	err := until(ctx, func() bool { return len(there.Check().Missing) == 2 })
	w.say("there missing %v, majority there: %v", there.Check().Missing, there.Check().Majority())
	return err
}

// monitorCluster: something is done when all nodes are back. Theirs counts them, and takes
// a node twice or itself for another.
func monitorCluster(ctx context.Context, w *world) error {
	expected := w.a.Expect(w.a.Name(), w.b.Name(), w.c.Name())
	watching, cancel := context.WithCancel(ctx)
	seen, ended := make(chan string, 8), make(chan error, 1)
	go func() {
		ended <- expected.Watch(watching, func(p core.Presence) { seen <- fmt.Sprintf("missing %v", p.Missing) }, func(core.Presence) { seen <- "healed" })
	}()
	w.say("%s", <-seen)
	w.cut(w.c, true)
	w.say("%s", <-seen)
	w.cut(w.c, false)
	w.say("%s", <-seen)
	w.say("%s", <-seen)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return w.a.Global().Sync(ctx)
}
