package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// startDistributed: net_kernel:start and erlang:set_cookie in a program that runs. The
// cookie is a setting here, is proved and never sent, and who has another one is told so.
func startDistributed(ctx context.Context, w *world) error {
	const ours, theirs = "auth.cookie=the-secret-of-all", "auth.cookie=another-secret"
	d, err := w.start(ctx, "d@h", ours)
	if err != nil {
		return err
	}
	e, err := w.start(ctx, "e@h", ours)
	if err != nil {
		return err
	}
	if err := e.Join(ctx, d.Name()); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return len(e.Alive()) == 2 }); err != nil {
		return err
	}
	w.say("with the same cookie: %v", e.Alive())
	f, err := w.start(ctx, "f@h", theirs)
	if err != nil {
		return err
	}
	_, why, _ := strings.Cut(fmt.Sprint(f.Join(ctx, d.Name())), "by the peer: ")
	w.say("with another one: %s", why)
	return nil
}

// connect: net_kernel:connect_node(Node). Here links come by themselves, with the first
// message; each side sees the other.
func connect(ctx context.Context, w *world) error {
	if _, err := w.b.Ping(ctx, w.c.Name()); err != nil {
		return err
	}
	w.say("b has links to %v", w.b.Nodes(false))
	w.say("c has links to %v", w.c.Nodes(false))
	return nil
}

// listNodes: [node() | nodes()]. Who has a link to this node, and who is in the cluster,
// are two questions here.
func listNodes(_ context.Context, w *world) error {
	w.say("a has links to %v; in the cluster are %v", w.a.Nodes(false), w.a.Alive())
	return nil
}

// connectHidden: a hidden node sends and is sent to, and is in nobody's list. Theirs
// calls a function that does not exist; ours is a setting of the hidden node.
func connectHidden(ctx context.Context, w *world) error {
	probe, err := w.start(ctx, "probe@h", "node.hidden=true")
	if err != nil {
		return err
	}
	if _, err := probe.Ping(ctx, w.a.Name()); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return len(w.a.Nodes(true)) == 1 }); err != nil {
		return err
	}
	w.say("a has links to %v, hidden ones to %v; alive are %v", w.a.Nodes(false), w.a.Nodes(true), w.a.Alive())
	return nil
}

// nodeInfo: a map of name, cookie, nodes and is_alive(). Nobody is shown the cookie here.
func nodeInfo(ctx context.Context, w *world) error {
	n, err := w.start(ctx, "d@h")
	if err != nil {
		return err
	}
	w.say("%s can be dialed at %d address, knows %v, has links to %v", n.Name(), len(n.Addresses()), n.Alive(), n.Nodes(false))
	if err := n.Stop(ctx); err != nil {
		return err
	}
	_, err = n.Ping(ctx, w.a.Name())
	w.say("stopped, it is not alive: %v", errors.Is(err, core.ErrNotRunning))
	return nil
}

// nodesSeen runs a process that is told whenever a node comes or goes, and at once if it is
// there.
func nodesSeen(n *core.Node, of name.Node) (seen <-chan string, stop func(), err error) {
	told := make(chan string, 100)
	watcher, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		self.MonitorNodes(true)
		for {
			m, err := self.Receive(ctx)
			if err != nil {
				return err
			}
			switch v := m.Value().(type) {
			case core.NodeUp:
				if v.Node == of {
					told <- fmt.Sprintf("%s sees node up %s", n.Name(), v.Node)
				}
			case core.NodeDown:
				if v.Node == of {
					told <- fmt.Sprintf("%s sees node down %s", n.Name(), v.Node)
				}
			}
		}
	}})
	if err != nil {
		return nil, nil, err
	}
	return told, func() { watcher.Stop(); <-watcher.Done() }, nil
}

// disconnect: erlang:disconnect_node(Node). Both sides see the other go down; here nobody
// takes it for a death.
func disconnect(ctx context.Context, w *world) error {
	seen, stop, err := nodesSeen(w.b, w.c.Name())
	if err != nil {
		return err
	}
	defer stop()
	if _, err := w.b.Ping(ctx, w.c.Name()); err != nil {
		return err
	}
	w.say("%s", <-seen)
	if err := w.b.Disconnect(w.c.Name()); err != nil {
		return err
	}
	w.say("%s", <-seen)
	w.say("alive are %v", w.b.Alive())
	return nil
}

// monitorNodes: net_kernel:monitor_nodes(true), and nodeup and nodedown as messages.
func monitorNodes(_ context.Context, w *world) error {
	seen, stop, err := nodesSeen(w.a, w.c.Name())
	if err != nil {
		return err
	}
	defer stop()
	w.say("%s", <-seen)
	w.cut(w.c, true)
	w.say("%s", <-seen)
	w.cut(w.c, false)
	w.say("%s", <-seen)
	return nil
}
