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

// call: rpc:call(Node, M, F, A). What may be called has a name. With a node behind it, it
// is called there; without one wherever somebody has it.
func call(ctx context.Context, w *world) error {
	echo := core.Handle(func(_ context.Context, text string) (string, error) { return text + ", said on b", nil })
	if _, err := w.b.Register(ctx, service("echo"), nil, echo); err != nil {
		return err
	}
	there, err := core.Call[string, string](ctx, w.a, "echo@b@h", "hello")
	if err != nil {
		return err
	}
	w.say("%s", there)
	if err := until(ctx, func() bool { return len(w.c.Lookup(service("echo"))) == 1 }); err != nil {
		return err
	}
	anywhere, err := core.Call[string, string](ctx, w.c, "echo", "hello again")
	w.say("%s", anywhere)
	return err
}

// wait is a function that takes a while, and is interrupted when nobody waits any more.
func wait(interrupted chan<- bool) core.Handler {
	return core.Handle(func(ctx context.Context, d time.Duration) (string, error) {
		select {
		case <-time.After(d):
			return "done", nil
		case <-ctx.Done():
			interrupted <- true
			return "", ctx.Err()
		}
	})
}

// callInTime: rpc:call(Node, M, F, A, Timeout). Theirs goes on working when the time is up.
func callInTime(ctx context.Context, w *world) error {
	interrupted := make(chan bool, 1)
	if err := w.serve("wait", wait(interrupted)); err != nil {
		return err
	}
	done, err := core.Call[time.Duration, string](ctx, w.a, "wait@b@h", time.Millisecond)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = core.Call[time.Duration, string](short, w.a, "wait@b@h", time.Hour)
	w.say("%s in time; timed out: %v, and the work was interrupted: %v", done, errors.Is(err, context.DeadlineExceeded), <-interrupted)
	return nil
}

// callLater: rpc:async_call and rpc:yield.
func callLater(ctx context.Context, w *world) error {
	if err := w.serve("wait", wait(make(chan bool, 1))); err != nil {
		return err
	}
	key := core.Go[time.Duration, string](ctx, w.a, "wait@c@h", time.Millisecond)
	said, err := key.Wait(ctx)
	w.say("yielded: %s", said)
	return err
}

// callMany: rpc:multicall(Nodes, M, F, A), which returns the answers and the nodes that
// gave none.
func callMany(ctx context.Context, w *world) error {
	if err := w.serve("whoami", core.Handle(func(_ context.Context, _ struct{}) (string, error) { return "me", nil })); err != nil {
		return err
	}
	nodes := append(w.a.Alive(), name.MustNode("nobody@h"))
	results := core.Multicall[struct{}, string](ctx, w.a, core.Everywhere(service("whoami"), nodes), struct{}{})
	answers, failed := core.Sort(results)
	w.say("%d answers, nothing of %v", len(answers), failed)
	return nil
}

// callManyInTime: rpc:multicall(Nodes, M, F, A, 5000). What came in time is there.
func callManyInTime(ctx context.Context, w *world) error {
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		proc, err := n.Spawn(core.Spec{Handle: core.Handle(func(ctx context.Context, _ struct{}) (string, error) {
			if n == w.c {
				<-ctx.Done() // for as long as anybody waits
			}
			return "me", ctx.Err()
		})})
		if err != nil {
			return err
		}
		if err := n.Bind(service("whoami"), proc.Ref()); err != nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	results := core.Multicall[struct{}, string](short, w.a, core.Everywhere(service("whoami"), w.a.Alive()), struct{}{})
	answers, failed := core.Sort(results)
	w.say("%d answers in time, nothing of %v", len(answers), failed)
	return nil
}

// cast: rpc:cast(Node, M, F, A). Nothing comes back, not even that nobody is there.
func cast(_ context.Context, w *world) error {
	noted := make(chan string, 1)
	err := w.serve("note", core.Handle(func(_ context.Context, text string) (struct{}, error) {
		noted <- text
		return struct{}{}, nil
	}))
	if err != nil {
		return err
	}
	if err := core.Cast(w.a, "note@c@h", "milk"); err != nil {
		return err
	}
	w.say("c noted %s", <-noted)
	return core.Cast(w.a, "nothing@c@h", "milk")
}

// callAll: rpc:multicall([node() | nodes()], M, F, A); and rpc:cast to all of them.
func callAll(ctx context.Context, w *world) error {
	cast := make(chan bool, 3)
	err := w.serve("whoami", core.Handle(func(_ context.Context, wanted bool) (string, error) {
		if !wanted {
			cast <- true
		}
		return "me", nil
	}))
	if err != nil {
		return err
	}
	everywhere := core.Everywhere(service("whoami"), w.a.Alive())
	answers, failed := core.Sort(core.Multicall[bool, string](ctx, w.a, everywhere, true))
	w.say("%d answers, %d failures", len(answers), len(failed))
	if err := core.CastAll(w.a, everywhere, false); err != nil {
		return err
	}
	w.say("and each was cast to: %v %v %v", <-cast, <-cast, <-cast)
	return nil
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
	w.say("mapped to %v", out)
	return err
}
