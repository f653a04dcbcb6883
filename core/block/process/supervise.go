package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	placeTime  = 3 * time.Second // for one node to start a child
	placeRetry = time.Second     // between looks for a node that can
)

// keeper is what a supervisor knows. Only its own goroutine uses it.
type keeper struct {
	spec     SupervisorSpec
	children []*ward
	restarts []time.Time // within the period
	nextID   int
}

// ward is a child.
type ward struct {
	Child
	ref      name.Ref
	restarts int
	last     error
	lost     name.Node   // was gone with it
	retry    *time.Timer // no node could take it
}

// retryChild comes when it is time to look for a node again.
type retryChild struct{ id string }

func newKeeper(spec SupervisorSpec) *keeper {
	spec.Intensity = cmp.Or(spec.Intensity, DefaultIntensity)
	spec.Period = cmp.Or(spec.Period, DefaultPeriod)
	return &keeper{spec: spec}
}

func (k *keeper) run(ctx context.Context, self *Self) error {
	defer k.endAll(self, 0)
	for {
		m, err := self.Receive(ctx)
		if err != nil {
			return err
		}
		switch v := m.Value().(type) {
		case command:
			m.Reply(v.do(ctx, self))
		case retryChild:
			if w := k.find(v.id); w != nil && w.ref.IsZero() {
				k.place(ctx, self, w)
			}
		case Exit:
			err = k.onExit(ctx, self, v, false)
		case Down:
			err = k.onExit(ctx, self, Exit{From: v.Target.Ref, Reason: v.Reason}, true)
		}
		if err != nil {
			return err
		}
	}
}

func (k *keeper) find(id string) *ward {
	i := slices.IndexFunc(k.children, func(w *ward) bool { return w.ID == id })
	if i < 0 {
		return nil
	}
	return k.children[i]
}

// onExit starts again what is to be started again. An error is the end of the
// supervisor: by what it is linked to, or because this happens too often. Children that
// may run elsewhere are monitored, because a monitor is there before they are.
func (k *keeper) onExit(ctx context.Context, self *Self, e Exit, monitored bool) error {
	i := slices.IndexFunc(k.children, func(w *ward) bool { return w.ref == e.From })
	if i < 0 {
		if slices.Contains(k.spec.Links, e.From) || errors.Is(e.Reason, ErrShutdown) {
			return e.Reason
		}
		return nil // of a child that was forgotten
	}
	w := k.children[i]
	if monitored != (w.Place != nil) {
		return nil
	}
	w.ref, w.last, w.lost = name.Ref{}, e.Reason, name.Node{}
	if errors.Is(e.Reason, ErrNoConnection) {
		w.lost = e.From.Node
	}
	if !w.again(e.Reason) {
		if w.Restart == Temporary {
			k.forget(w)
		}
		return nil
	}
	if k.tooOften(time.Now()) {
		return fmt.Errorf("supervisor %s: %d times within %v, child %q last, of %s: %w", self.Ref(), len(k.restarts), k.spec.Period, w.ID, ReasonText(e.Reason), ErrTooManyRestarts)
	}
	k.restart(ctx, self, i)
	return nil
}

func (w *ward) again(reason error) bool {
	switch w.Restart {
	case Permanent:
		return true
	case Transient:
		return reason != nil && !errors.Is(reason, ErrShutdown)
	}
	return false
}

// tooOften counts a restart.
func (k *keeper) tooOften(now time.Time) bool {
	k.restarts = slices.DeleteFunc(k.restarts, func(t time.Time) bool { return now.Sub(t) > k.spec.Period })
	k.restarts = append(k.restarts, now)
	return len(k.restarts) > max(k.spec.Intensity, 0)
}

// restart starts a child again and those that go with it.
func (k *keeper) restart(ctx context.Context, self *Self, i int) {
	w := k.children[i]
	w.restarts++
	switch k.spec.Strategy {
	case OneForOne:
		k.place(ctx, self, w)
		return
	case OneForAll:
		i = 0
	}
	k.endAll(self, i)
	k.children = slices.DeleteFunc(k.children, func(c *ward) bool { return c.Restart == Temporary && c.ref.IsZero() && c != w })
	for _, c := range slices.Clone(k.children[min(i, len(k.children)):]) {
		k.place(ctx, self, c)
	}
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
		ref, failed := self.StartOn(once, node, w.Place.Function, w.Place.Args, StartOptions{Link: self.Ref(), Monitor: true})
		cancel()
		if failed == nil {
			w.ref = ref
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

func (k *keeper) add(ctx context.Context, self *Self, child Child) (name.Ref, error) {
	for child.ID == "" || k.find(child.ID) != nil {
		if child.ID != "" {
			return name.Ref{}, fmt.Errorf("child %q: %w", child.ID, ErrChildExists)
		}
		k.nextID++
		if id := strconv.Itoa(k.nextID); k.find(id) == nil {
			child.ID = id
		}
	}
	w := &ward{Child: child}
	if err := k.launch(ctx, self, w); err != nil {
		return name.Ref{}, fmt.Errorf("child %q: %w", child.ID, err)
	}
	k.children = append(k.children, w)
	return w.ref, nil
}

func (k *keeper) remove(self *Self, id string) error {
	w := k.find(id)
	if w == nil {
		return fmt.Errorf("child %q: %w", id, ErrNoChild)
	}
	k.end(self, w)
	k.forget(w)
	return nil
}

func (k *keeper) forget(w *ward) {
	k.children = slices.DeleteFunc(k.children, func(c *ward) bool { return c == w })
}

func (k *keeper) again(ctx context.Context, self *Self, id string) (name.Ref, error) {
	w := k.find(id)
	if w == nil {
		return name.Ref{}, fmt.Errorf("child %q: %w", id, ErrNoChild)
	}
	k.end(self, w)
	err := k.launch(ctx, self, w)
	return w.ref, err
}

func (k *keeper) list() []ChildInfo {
	out := make([]ChildInfo, len(k.children))
	for i, w := range k.children {
		out[i] = ChildInfo{ID: w.ID, Ref: w.ref, Restarts: w.restarts, Last: w.last}
	}
	return out
}

// endAll ends the children from a place on, the last one first.
func (k *keeper) endAll(self *Self, from int) {
	for i := len(k.children) - 1; i >= from; i-- {
		k.end(self, k.children[i])
	}
}

// end tells a child to end, waits, and kills it if it does not.
func (k *keeper) end(self *Self, w *ward) {
	if w.retry != nil {
		w.retry.Stop()
	}
	if w.ref.IsZero() {
		return
	}
	p, ref := self.proc.procs, w.ref
	w.ref = name.Ref{}
	patience := cmp.Or(w.Shutdown, DefaultShutdown)
	down := make(chan Down, 1)
	ctx, cancel := context.WithTimeout(context.Background(), max(patience, placeTime))
	defer cancel()
	p.monitor(ctx, self.Ref(), ToRef(ref), func(d Down) { down <- d })
	if patience > 0 {
		p.unlink(self.proc, ref)
		_ = p.sendSignal(ctx, self.Ref(), ref, sigSignal, ErrShutdown) // who cannot be reached is gone, as the monitor says
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case d := <-down:
			w.last = d.Reason
			return
		case <-timer.C:
		}
	}
	_ = p.sendSignal(ctx, self.Ref(), ref, sigKill, nil)
	select {
	case d := <-down:
		w.last = d.Reason
	case <-ctx.Done():
	}
}
