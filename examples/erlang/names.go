package main

import (
	"context"
	"errors"

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

// register: a name for one process of the whole cluster, looked up from everywhere; when
// two parts of a cluster meet that each have one, a resolver chooses. Here the one on
// the lower node stays, and the other is told.
func register(ctx context.Context, w *world) error {
	first, err := w.b.Spawn(core.Spec{Run: idle})
	if err != nil {
		return err
	}
	defer first.Stop()
	if err := w.b.Global().Register(ctx, "leader", first, core.GlobalOptions{Resolve: core.KeepLowest}); err != nil {
		return err
	}
	if err := w.a.Global().Sync(ctx); err != nil {
		return err
	}
	where, _ := w.c.Global().Whereis("leader")
	say("c finds the leader on %s", where.Node)
	second, err := w.c.Spawn(core.Spec{Run: idle})
	if err != nil {
		return err
	}
	defer second.Stop()
	err = w.c.Global().Register(ctx, "leader", second, core.GlobalOptions{})
	say("a second leader: %v", errors.Is(err, core.ErrTaken))
	return conflict(ctx, w)
}

// conflict: both sides of a cut have a holder.
func conflict(ctx context.Context, w *world) error {
	w.cut(w.c, true)
	if err := until(ctx, func() bool { return len(w.c.Alive()) == 1 && len(w.a.Alive()) == 2 }); err != nil {
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
	if err := until(ctx, func() bool { _, found := w.c.Global().Whereis("leader"); return !found }); err != nil {
		return err
	}
	if err := w.c.Global().Register(ctx, "leader", rival, core.GlobalOptions{}); err != nil {
		return err
	}
	w.cut(w.c, false)
	say("after the cut the leader of c loses to that of %s", (<-lost).Winner.Node)
	return w.a.Global().Sync(ctx) // global:sync()
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
	say("all find the same scheduler: %v", found[0] == found[1] && found[1] == found[2])
	if err := w.a.Kill(ctx, found[0]); err != nil {
		return err
	}
	err := until(ctx, func() bool { _, still := w.c.Global().Whereis("scheduler"); return !still })
	say("it ends with its process")
	return err
}
