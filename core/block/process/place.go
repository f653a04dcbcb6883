package process

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	placeTime  = 3 * time.Second // for one node to start a child
	placeRetry = time.Second     // between looks for a node that can
)

// onDown is the end of a child that may run elsewhere. Those are monitored, because a
// monitor is there before they are.
func (k *keeper) onDown(ctx context.Context, self *Self, d Down) error {
	i := k.indexOf(d.Target.Ref)
	if i < 0 {
		return nil
	}
	node := d.Target.Ref.Node
	if d.Reason != ErrNoConnection || node == self.Node() { //nolint:errorlint // the very value: others are what a child said
		return k.ended(ctx, self, i, d.Reason)
	}
	return k.lose(ctx, self, i, node)
}

// lose starts again, elsewhere, what was lost with a node. That is no fault of theirs and
// does not count. Where one takes others along all that were lost go together.
func (k *keeper) lose(ctx context.Context, self *Self, i int, node name.Node) error {
	w := k.children[i]
	lost := []*ward{w}
	if k.spec.Strategy != OneForOne {
		lost = slices.DeleteFunc(slices.Clone(k.children), func(c *ward) bool { return c != w && (c.ref.Node != node || !k.isOver(self, c)) })
	}
	for _, c := range lost {
		c.ref, c.last, c.lost = name.Ref{}, ErrNoConnection, node
	}
	lost = slices.DeleteFunc(lost, func(c *ward) bool { return !k.wanted(c) })
	if len(lost) > 0 {
		k.restart(ctx, self, slices.Index(k.children, lost[0]))
	}
	return nil
}

// isOver reports whether the end of a child elsewhere is known, to its monitor at least.
func (k *keeper) isOver(self *Self, w *ward) bool {
	return w.Place != nil && w.ref.Node != self.Node() && !self.proc.procs.awaits(w.ref.Node, w.monitor)
}

// place starts a child; if that cannot be done now it is tried again later.
func (k *keeper) place(ctx context.Context, self *Self, w *ward) {
	err := k.launch(ctx, self, w)
	if err == nil {
		return
	}
	w.last = err
	proc := self.proc
	proc.procs.cfg.Log.Warn("child not started, trying again", "supervisor", self.Ref(), "child", w.ID, "error", err)
	w.retry = time.AfterFunc(placeRetry, func() { proc.notice(proc.ref, retryChild{w.ID}) })
}

// launch starts a child, linked to the supervisor.
func (k *keeper) launch(ctx context.Context, self *Self, w *ward) error {
	if w.Place == nil {
		spec := w.Spec
		spec.Links = append(slices.Clone(spec.Links), self.Ref())
		spec.PanicEnds = true
		proc, err := self.Spawn(spec)
		if err == nil {
			w.ref = proc.ref
		}
		return err
	}
	err := errors.New("no node may run it")
	for _, node := range w.candidates() {
		once, cancel := context.WithTimeout(ctx, placeTime)
		ref, monitor, failed := self.startWatched(once, node, w.Place.Function, w.Place.Args, StartOptions{Link: self.Ref()})
		cancel()
		if failed == nil {
			w.ref, w.monitor = ref, monitor
			return nil
		}
		err = failed
	}
	return err
}

// candidates are the nodes that may run the child. The one that it was lost with comes
// last: to ask it first would keep the child waiting.
func (w *ward) candidates() []name.Node {
	nodes := slices.Clone(w.Place.Nodes())
	slices.SortStableFunc(nodes, func(a, b name.Node) int {
		switch {
		case a != w.lost && b == w.lost:
			return -1
		case a == w.lost && b != w.lost:
			return 1
		}
		return 0
	})
	return nodes
}
