package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// serve puts a function behind a name on all three nodes.
func (w *world) serve(text string, handle core.Handler) error {
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		proc, err := n.Spawn(core.Spec{Workers: 8, Handle: handle})
		if err != nil {
			return err
		}
		if err := n.Bind(service(text), proc.Ref()); err != nil {
			return err
		}
	}
	return nil
}

// call: rpc:call(Node, M, F, A, Timeout). Theirs goes on working when the time is up.
func call(ctx context.Context, w *world) error {
	interrupted := make(chan bool, 1)
	err := w.serve("wait", core.Handle(func(ctx context.Context, d time.Duration) (string, error) {
		select {
		case <-time.After(d):
			return "done", nil
		case <-ctx.Done():
			interrupted <- true
			return "", ctx.Err()
		}
	}))
	if err != nil {
		return err
	}
	done, err := core.Call[time.Duration, string](ctx, w.a, "wait@b@h", time.Millisecond)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = core.Call[time.Duration, string](short, w.a, "wait@b@h", time.Hour)
	say("%s in time; timed out: %v, and the work was interrupted: %v", done, errors.Is(err, context.DeadlineExceeded), <-interrupted)
	return nil
}

// callLater: rpc:async_call and rpc:yield.
func callLater(ctx context.Context, w *world) error {
	key := core.Go[time.Duration, string](ctx, w.a, "wait@c@h", time.Millisecond)
	said, err := key.Wait(ctx)
	say("yielded: %s", said)
	return err
}

// callMany: rpc:multicall, which returns the answers and the nodes that gave none.
func callMany(ctx context.Context, w *world) error {
	if err := w.serve("whoami", core.Handle(func(_ context.Context, _ struct{}) (string, error) { return "me", nil })); err != nil {
		return err
	}
	nodes := append(w.a.Alive(), name.MustNode("nobody@h"))
	results := core.Multicall[struct{}, string](ctx, w.a, core.Everywhere(service("whoami"), nodes), struct{}{})
	answers, failed := core.Sort(results)
	say("%d answers, nothing of %v", len(answers), failed)
	return core.CastAll(w.a, core.Everywhere(service("whoami"), w.a.Alive()), struct{}{}) // rpc:cast to all
}

// mapOver: a list is mapped over the nodes. Theirs takes one item after the other, numbers
// only, and divides by zero without other nodes.
func mapOver(ctx context.Context, w *world) error {
	err := w.serve("reverse", core.Handle(func(_ context.Context, text string) (string, error) {
		r := []rune(text)
		slices.Reverse(r)
		return string(r), nil
	}))
	if err != nil {
		return err
	}
	out, err := core.Map[string, string](ctx, w.a, service("reverse"), []string{"abc", "def", "ghi", "jkl"}, core.MapOptions{})
	say("mapped to %v", out)
	return err
}
