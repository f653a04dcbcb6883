package main

import (
	"context"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// startWorker: supervisor:start_child(Sup, Spec) with a worker on another node, one_for_one,
// permanent, 5 restarts in 60 seconds. Theirs is started again on the node that is gone;
// ours on another.
func startWorker(ctx context.Context, w *world) error {
	started := make(chan name.Ref, 4)
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		work := func(ctx context.Context, self *core.Self, _ string) error {
			started <- self.Ref()
			return idle(ctx, self)
		}
		if err := core.OfferStart(n, "worker", core.Anyone, work); err != nil {
			return err
		}
	}
	sup, err := w.a.Supervise(ctx, core.SupervisorSpec{Strategy: core.OneForOne, Intensity: 5, Period: time.Minute})
	if err != nil {
		return err
	}
	defer func() { sup.Stop(); <-sup.Done() }()
	child := core.Child{ID: "worker", Restart: core.Permanent, Place: &core.Place{
		Function: "worker", Args: "loop", Nodes: func() []name.Node { return reachable(w.a, w.c.Name(), w.b.Name()) },
	}}
	if _, err := sup.Start(ctx, child); err != nil {
		return err
	}
	first := <-started
	w.say("the worker runs on %s", first.Node)
	if err := w.b.Kill(ctx, first); err != nil {
		return err
	}
	w.say("it was killed, and runs on %s again", (<-started).Node)
	w.cut(w.c, true)
	w.say("its node is gone, and it runs on %s", (<-started).Node)
	return nil
}

// reachable are those of the nodes that have a link, and then the node itself.
func reachable(n *core.Node, nodes ...name.Node) []name.Node {
	linked := n.Nodes(false)
	nodes = slices.DeleteFunc(nodes, func(node name.Node) bool { return !slices.Contains(linked, node) })
	return append(nodes, n.Name())
}

// member joins a group on a node; it ends with the first message, which it says.
func member(ctx context.Context, n *core.Node, heard chan<- string) (*core.Process, error) {
	proc, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		text, _, err := core.Receive[string](ctx, self)
		if err == nil {
			heard <- text
		}
		return err
	}})
	if err != nil {
		return nil, err
	}
	g, err := n.Group("listeners")
	if err != nil {
		return nil, err
	}
	return proc, g.Join(ctx, proc)
}

// join: pg:join(Group, Pid). Everybody sees the members, and they leave with their end.
func join(ctx context.Context, w *world) error {
	proc, err := member(ctx, w.c, nil)
	if err != nil {
		return err
	}
	g, err := w.a.Group("listeners")
	if err != nil {
		return err
	}
	if err := until(ctx, func() bool { return len(g.Members()) == 1 }); err != nil {
		return err
	}
	w.say("a sees a member on %s", g.Members()[0].Node)
	proc.Stop()
	err = until(ctx, func() bool { return len(g.Members()) == 0 })
	w.say("it left the group with its end: %d members", len(g.Members()))
	return err
}

// broadcast: a message to each of pg:get_members(Group).
func broadcast(ctx context.Context, w *world) error {
	heard := make(chan string, 3)
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		if _, err := member(ctx, n, heard); err != nil {
			return err
		}
	}
	g, err := w.b.Group("listeners")
	if err != nil {
		return err
	}
	if err := until(ctx, func() bool { return len(g.Members()) == 3 }); err != nil {
		return err
	}
	n, err := core.Broadcast(g, "attention")
	if err != nil {
		return err
	}
	w.say("sent to %d; heard: %s, %s, %s", n, <-heard, <-heard, <-heard)
	return nil
}
