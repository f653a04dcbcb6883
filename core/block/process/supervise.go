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
	monitor  uint64 // of one with a Place
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
			err = k.onExit(ctx, self, v)
		case Down:
			err = k.onDown(ctx, self, v)
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

func (k *keeper) indexOf(ref name.Ref) int {
	return slices.IndexFunc(k.children, func(w *ward) bool { return w.ref == ref })
}

// onExit is the end of a child of this node, or of what the supervisor is linked to or
// obeys, which ends it. Others may be children that have been forgotten.
func (k *keeper) onExit(ctx context.Context, self *Self, e Exit) error {
	if i := k.indexOf(e.From); i >= 0 {
		if k.children[i].Place != nil {
			return nil // its monitor tells
		}
		return k.ended(ctx, self, i, e.Reason)
	}
	if slices.Contains(k.spec.Links, e.From) || e.asked && errors.Is(e.Reason, ErrShutdown) {
		return e.Reason
	}
	return nil
}

// ended starts again what is to be started again. An error is the end of the supervisor,
// because this happens too often.
func (k *keeper) ended(ctx context.Context, self *Self, i int, reason error) error {
	w := k.children[i]
	w.ref, w.last, w.lost = name.Ref{}, reason, name.Node{}
	if !k.wanted(w) {
		return nil
	}
	if k.tooOften(time.Now()) {
		return fmt.Errorf("supervisor %s: %d times within %v, child %q last, of %s: %w", self.Ref(), len(k.restarts), k.spec.Period, w.ID, ReasonText(reason), ErrTooManyRestarts)
	}
	k.restart(ctx, self, i)
	return nil
}

// wanted reports whether a child that has ended is to be started again; one that never is
// is forgotten.
func (k *keeper) wanted(w *ward) bool {
	if w.Restart == Temporary {
		k.forget(w)
	}
	return w.again(w.last)
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

// end tells a child to end, waits, and kills it if it does not. One that is lost with its
// node has ended, and nobody is dialed for it. A node that stops does not wait for one
// elsewhere, of whose end it may not hear any more.
func (k *keeper) end(self *Self, w *ward) {
	if w.retry != nil {
		w.retry.Stop()
	}
	if w.ref.IsZero() {
		return
	}
	p, ref := self.proc.procs, w.ref
	over := k.isOver(self, w)
	w.ref = name.Ref{}
	if over {
		return
	}
	patience := cmp.Or(w.Shutdown, DefaultShutdown)
	down := make(chan Down, 1)
	ctx, cancel := context.WithTimeout(context.Background(), max(patience, placeTime))
	defer cancel()
	var stopped <-chan struct{}
	if ref.Node != self.Node() {
		stopped = p.halt()
	}
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
		case <-stopped:
			return
		case <-timer.C:
		}
	}
	_ = p.sendSignal(ctx, self.Ref(), ref, sigKill, nil)
	select {
	case d := <-down:
		w.last = d.Reason
	case <-stopped:
	case <-ctx.Done():
	}
}
