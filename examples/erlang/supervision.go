package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// supervise: one_for_one, 5 restarts in 60 seconds, a permanent worker on another node.
// Theirs starts it again on the node that is gone; ours on another.
func supervise(ctx context.Context, w *world) error {
	started := make(chan name.Node, 4)
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		work := func(ctx context.Context, self *core.Self, _ string) error {
			started <- self.Node()
			return idle(ctx, self)
		}
		if err := core.OfferStart(n, "worker", core.Anyone, work); err != nil {
			return err
		}
	}
	others := func() (nodes []name.Node) {
		for _, node := range []name.Node{w.c.Name(), w.b.Name()} {
			for _, alive := range w.a.Nodes(false) {
				if node == alive {
					nodes = append(nodes, node)
				}
			}
		}
		return append(nodes, w.a.Name())
	}
	sup, err := w.a.Supervise(ctx, core.SupervisorSpec{
		Strategy: core.OneForOne, Intensity: 5,
		Children: []core.Child{{ID: "worker", Restart: core.Permanent, Place: &core.Place{Function: "worker", Args: "loop", Nodes: others}}},
	})
	if err != nil {
		return err
	}
	defer func() { sup.Stop(); <-sup.Done() }()
	say("the worker runs on %s", <-started)
	w.cut(w.c, true)
	say("its node is gone, it runs on %s", <-started)
	w.cut(w.c, false)
	return until(ctx, func() bool { return len(w.a.Alive()) == 3 && len(w.b.Alive()) == 3 && len(w.c.Alive()) == 3 })
}

// group: processes of many nodes join a group, and a broadcast reaches all of them.
func group(ctx context.Context, w *world) error {
	var heard sync.WaitGroup
	for _, n := range []*core.Node{w.a, w.b, w.c} {
		heard.Add(1)
		member, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
			_, _, err := core.Receive[string](ctx, self)
			heard.Done()
			return err
		}})
		if err != nil {
			return err
		}
		g, err := n.Group("listeners")
		if err != nil {
			return err
		}
		if err := g.Join(ctx, member); err != nil {
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
	heard.Wait()
	say("%s", fmt.Sprintf("%d of %d members heard it", n, 3))
	err = until(ctx, func() bool { return len(g.Members()) == 0 })
	say("they left the group with their end")
	return err
}
