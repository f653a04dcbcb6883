package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func idle(ctx context.Context, self *core.Self) error {
	for {
		if _, err := self.Receive(ctx); err != nil {
			return err
		}
	}
}

// register: global:register_name(Name, Pid), a name for one process of the whole cluster.
func register(ctx context.Context, w *world) error {
	leader, err := lead(ctx, w, w.b)
	if err != nil {
		return err
	}
	defer leader.Stop()
	where, _ := w.c.Global().Whereis("leader")
	w.say("c finds the leader on %s", where.Node)
	second, err := w.c.Spawn(core.Spec{Run: idle})
	if err != nil {
		return err
	}
	defer second.Stop()
	err = w.c.Global().Register(ctx, "leader", second, core.GlobalOptions{})
	w.say("there is no second leader: %v", errors.Is(err, core.ErrTaken))
	return nil
}

// lead registers a leader, of whom all know when it returns.
func lead(ctx context.Context, w *world, n *core.Node) (*core.Process, error) {
	proc, err := n.Spawn(core.Spec{Run: idle})
	if err != nil {
		return nil, err
	}
	if err := n.Global().Register(ctx, "leader", proc, core.GlobalOptions{Resolve: core.KeepLowest}); err != nil {
		return nil, err
	}
	return proc, w.a.Global().Sync(ctx)
}

// sendGlobal: whereis_name, and then the message, or {error, not_found}.
func sendGlobal(ctx context.Context, w *world) error {
	got := make(chan string, 1)
	server, err := w.b.Spawn(core.Spec{Handle: core.Handle(func(_ context.Context, text string) (struct{}, error) {
		got <- text
		return struct{}{}, nil
	})})
	if err != nil {
		return err
	}
	defer server.Stop()
	if err := w.b.Global().Register(ctx, "server", server, core.GlobalOptions{}); err != nil {
		return err
	}
	if err := w.a.Global().Sync(ctx); err != nil {
		return err
	}
	send := func(global, text string) error {
		ref, found := w.c.Global().Whereis(global)
		if !found {
			return fmt.Errorf("%s: not found", global)
		}
		return core.Send(ctx, w.c, ref, text)
	}
	if err := send("server", "hello"); err != nil {
		return err
	}
	w.say("the server got %q", <-got)
	w.say("%v", send("nobody", "hello"))
	return nil
}

// conflict: register_name(Name, Pid, Resolve). When two parts of a cluster meet that each
// have a holder, the resolver chooses: here the one on the lower node, and the other is
// told.
func conflict(ctx context.Context, w *world) error {
	leader, err := lead(ctx, w, w.b)
	if err != nil {
		return err
	}
	defer leader.Stop()
	w.cut(w.c, true)
	if err := until(ctx, func() bool { _, found := w.c.Global().Whereis("leader"); return !found }); err != nil {
		return err
	}
	lost := make(chan core.Lost, 1)
	rival, err := w.c.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		l, _, err := core.Receive[core.Lost](ctx, self)
		lost <- l
		return err
	}})
	if err != nil {
		return err
	}
	if err := w.c.Global().Register(ctx, "leader", rival, core.GlobalOptions{Resolve: core.KeepLowest}); err != nil {
		return err
	}
	w.cut(w.c, false)
	w.say("after the cut the leader of c loses to that of %s", (<-lost).Winner.Node)
	return nil
}

// syncNames: global:sync() returns when all nodes know the same names.
func syncNames(ctx context.Context, w *world) error {
	for i, n := range []*core.Node{w.a, w.b, w.c} {
		proc, err := n.Spawn(core.Spec{Run: idle})
		if err != nil {
			return err
		}
		defer proc.Stop()
		if err := n.Global().Register(ctx, fmt.Sprint("worker-", i), proc, core.GlobalOptions{}); err != nil {
			return err
		}
	}
	if err := w.b.Global().Sync(ctx); err != nil {
		return err
	}
	w.say("a, b and c know %d, %d and %d names", len(w.a.Global().Names()), len(w.b.Global().Names()), len(w.c.Global().Names()))
	return nil
}

// listNames: global:registered_names().
func listNames(ctx context.Context, w *world) error {
	leader, err := lead(ctx, w, w.b)
	if err != nil {
		return err
	}
	w.say("c knows %v", w.c.Global().Names())
	leader.Stop()
	err = until(ctx, func() bool { return len(w.c.Global().Names()) == 0 })
	w.say("after its end %v", w.c.Global().Names())
	return err
}

// ensure: look a name up, and start and register a process when there is none. Theirs
// leaves a process behind when somebody else is faster.
func ensure(ctx context.Context, w *world) error {
	var found []name.Ref
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		ref, err := n.Global().Ensure(ctx, "scheduler", core.Spec{Run: idle}, core.GlobalOptions{})
		if err != nil {
			return err
		}
		found = append(found, ref)
	}
	w.say("all find the same scheduler: %v", found[0] == found[1] && found[1] == found[2])
	if err := w.a.Kill(ctx, found[0]); err != nil {
		return err
	}
	err := until(ctx, func() bool { _, still := w.c.Global().Whereis("scheduler"); return !still })
	w.say("it ends with its process")
	return err
}
