package main

import (
	"context"
	"fmt"

	"github.com/barrelp2p/barrel/core"
)

// connect: two nodes connect, and each finds the other in the list of connected nodes.
func connect(ctx context.Context, w *world) error {
	if _, err := w.a.Ping(ctx, w.b.Name()); err != nil { // links on demand; so does every message
		return err
	}
	say("a has links to %v, hidden ones to %v", w.a.Nodes(false), w.a.Nodes(true))
	return nil
}

// watchNodes: a process asks to be told of nodes that come and go, and receives nodeup and
// nodedown as messages.
func watchNodes(ctx context.Context, w *world) error {
	seen := make(chan string, 4)
	watcher, err := w.a.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		self.MonitorNodes(true)
		for {
			m, err := self.Receive(ctx)
			if err != nil {
				return err
			}
			switch v := m.Value().(type) {
			case core.NodeUp:
				if v.Node == w.c.Name() {
					seen <- fmt.Sprint("node up ", v.Node)
				}
			case core.NodeDown:
				seen <- fmt.Sprint("node down ", v.Node)
			}
		}
	}})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	say("%s", <-seen)
	w.cut(w.c, true)
	say("%s", <-seen)
	w.cut(w.c, false)
	say("%s", <-seen)
	return until(ctx, func() bool { return len(w.a.Alive()) == 3 && len(w.c.Alive()) == 3 && len(w.b.Alive()) == 3 })
}
