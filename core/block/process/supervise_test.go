package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// roster notes who starts and who ends.
type roster struct {
	mu  sync.Mutex
	log []string
}

func (r *roster) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *roster) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.log
	r.log = nil
	return out
}

// child is one that ends as it is told.
func (r *roster) child(id string, restart Restart) Child {
	return Child{ID: id, Restart: restart, Spec: Spec{Run: func(ctx context.Context, self *Self) error {
		r.note("+%s", id)
		defer r.note("-%s", id)
		return endsWith(ctx, self)
	}}}
}

func children(t *testing.T, s *Supervisor) map[string]ChildInfo {
	t.Helper()
	list, err := s.Children(t.Context())
	must(t, err)
	out := map[string]ChildInfo{}
	for _, c := range list {
		out[c.ID] = c
	}
	return out
}

func TestStrategies(t *testing.T) {
	for strategy, want := range map[Strategy][]string{
		OneForOne:  {"-b", "+b"},
		OneForAll:  {"-b", "-d", "-c", "-a", "+a", "+b", "+c"},
		RestForOne: {"-b", "-d", "-c", "+b", "+c"},
	} {
		inWorld(t, func(t *testing.T, w *world) {
			p := w.node("a@h")
			r := &roster{}
			s, err := p.Supervise(t.Context(), SupervisorSpec{Strategy: strategy, Children: []Child{
				r.child("a", Permanent), r.child("b", Permanent), r.child("c", Transient), r.child("d", Temporary),
			}})
			must(t, err)
			synctest.Wait()
			if got := r.take(); len(got) != 4 {
				t.Errorf("started %q", got)
			}
			must(t, p.Send(t.Context(), ToRef(children(t, s)["b"].Ref), "boom"))
			synctest.Wait()
			got := r.take()
			slices.Sort(got[len(got)-len(want)+slices.IndexFunc(want, func(s string) bool { return s[0] == '+' }):]) // they run at once
			if !slices.Equal(got, want) {
				t.Errorf("strategy %d: %q, want %q", strategy, got, want)
			}
			if c := children(t, s)["b"]; c.Restarts != 1 || c.Last == nil || c.Ref.IsZero() {
				t.Errorf("child %+v", c)
			}
			s.Stop()
			<-s.Done()
			if got := r.take(); got[0] == "-a" || got[len(got)-1] != "-a" {
				t.Errorf("the first child ends first: %q", got)
			}
		})
	}
}

func TestWhoIsStartedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		r := &roster{}
		s, err := p.Supervise(t.Context(), SupervisorSpec{Children: []Child{
			r.child("permanent", Permanent), r.child("transient", Transient), r.child("temporary", Temporary),
		}})
		must(t, err)
		end := func(id string, how any) int {
			before := children(t, s)[id]
			must(t, p.Send(t.Context(), ToRef(before.Ref), how))
			synctest.Wait()
			return children(t, s)[id].Restarts - before.Restarts
		}
		for _, c := range []struct {
			id   string
			how  any
			want int
		}{
			{"permanent", nil, 1}, {"permanent", "panic", 1}, {"transient", "error", 1}, {"transient", nil, 0}, {"temporary", "error", 0},
		} {
			if got := end(c.id, c.how); got != c.want {
				t.Errorf("%s after %v: %d restarts, want %d", c.id, c.how, got, c.want)
			}
		}
		if _, kept := children(t, s)["temporary"]; kept {
			t.Error("a temporary child is remembered")
		}
	})
}

// A child with a handler that panics: the caller hears of it, and the child is started again.
func TestAHandlerThatPanicsIsStartedAgain(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		handle := func(_ context.Context, m Message) (any, error) {
			if text(m.Value()) == "panic" {
				panic("as told")
			}
			return "fine", nil
		}
		s, err := at.Supervise(t.Context(), SupervisorSpec{Children: []Child{{ID: "h", Spec: Spec{Handle: handle}}}})
		must(t, err)
		before := children(t, s)["h"].Ref
		if _, err := from.Call(t.Context(), ToRef(before), "panic"); !errors.Is(err, ErrPanicked) {
			t.Errorf("the caller gets %v", err)
		}
		synctest.Wait()
		c := children(t, s)["h"]
		if c.Restarts != 1 || !errors.Is(c.Last, ErrPanicked) || c.Ref == before {
			t.Errorf("child %+v", c)
		}
		if out, err := from.Call(t.Context(), ToRef(c.Ref), "hello"); err != nil || text(out) != "fine" {
			t.Errorf("the next one answers %q, %v", out, err)
		}
		if _, err := from.Call(t.Context(), ToRef(before), "hello"); !errors.Is(err, ErrNoProcess) {
			t.Errorf("a call to the one before: %v", err)
		}
	})
}

func TestChildrenComeAndGo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		r := &roster{}
		s, err := p.Supervise(t.Context(), SupervisorSpec{})
		must(t, err)
		for range 3 {
			_, err := s.Start(t.Context(), r.child("", Transient))
			must(t, err)
		}
		first, err := s.Start(t.Context(), r.child("x", Permanent))
		must(t, err)
		if _, err := s.Start(t.Context(), r.child("x", Permanent)); !errors.Is(err, ErrChildExists) {
			t.Errorf("an id that is taken: %v", err)
		}
		second, err := s.RestartChild(t.Context(), "x")
		if err != nil || second == first {
			t.Errorf("restarted as %s, %v", second, err)
		}
		must(t, s.StopChild(t.Context(), "2"))
		if err := s.StopChild(t.Context(), "2"); !errors.Is(err, ErrNoChild) {
			t.Errorf("twice: %v", err)
		}
		if n := len(children(t, s)); n != 3 {
			t.Errorf("%d children, want 3", n)
		}
		stubborn := Child{ID: "stubborn", Shutdown: time.Second, Spec: Spec{Trap: true, Run: func(_ context.Context, self *Self) error {
			for {
				if _, err := self.Receive(context.Background()); errors.Is(err, ErrKilled) {
					return err
				}
			}
		}}}
		_, err = s.Start(t.Context(), stubborn)
		must(t, err)
		begin := time.Now()
		must(t, s.StopChild(t.Context(), "stubborn"))
		if took := time.Since(begin); took != time.Second {
			t.Errorf("a child that does not listen is killed after %v", took)
		}
	})
}

func TestASupervisorGivesUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		r := &roster{}
		s, err := p.Supervise(t.Context(), SupervisorSpec{Intensity: 3, Period: 10 * time.Second, Children: []Child{
			r.child("good", Permanent), r.child("bad", Permanent),
		}})
		must(t, err)
		good, _ := p.Monitor(t.Context(), ToRef(children(t, s)["good"].Ref))
		for range 4 { // slowly enough
			must(t, p.Send(t.Context(), ToRef(children(t, s)["bad"].Ref), "x"))
			time.Sleep(4 * time.Second)
		}
		time.Sleep(time.Minute)
		for range 4 { // and then too fast
			must(t, p.Send(t.Context(), ToRef(children(t, s)["bad"].Ref), "x"))
			synctest.Wait()
		}
		<-s.Done()
		if err := s.Reason(); !errors.Is(err, ErrTooManyRestarts) {
			t.Errorf("gave up: %v", err)
		}
		if d := <-good; !errors.Is(d.Reason, ErrShutdown) {
			t.Errorf("the other child ended with %v", d.Reason)
		}
		if _, err := s.Children(t.Context()); !errors.Is(err, ErrNoProcess) {
			t.Errorf("asked afterwards: %v", err)
		}
	})
}

func TestAChildMovesWhenItsNodeIsGone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a@h"), w.node("b@h"), w.node("c@h")
		for _, p := range []*Processes{a, b, c} {
			must(t, p.Offer("worker", Anyone, func(ctx context.Context, self *Self, args Message) error {
				if s, err := As[string](args); err != nil || s != "args" {
					return fmt.Errorf("started with %q, %w", s, err)
				}
				return endsWith(ctx, self)
			}))
		}
		lost := map[name.Node]bool{}
		nodes := func() (out []name.Node) {
			for _, p := range []*Processes{b, c, a} {
				if !lost[p.cfg.Node] {
					out = append(out, p.cfg.Node)
				}
			}
			return out
		}
		s, err := a.Supervise(t.Context(), SupervisorSpec{Intensity: 5, Children: []Child{
			{ID: "w", Place: &Place{Function: "worker", Args: "args", Nodes: nodes}},
		}})
		must(t, err)
		where := func() string { return children(t, s)["w"].Ref.Node.String() }
		if where() != "b@h" {
			t.Errorf("the child runs on %s", where())
		}
		must(t, a.Send(t.Context(), ToRef(children(t, s)["w"].Ref), "error"))
		synctest.Wait()
		if where() != "b@h" {
			t.Errorf("after an end of its own the child runs on %s", where())
		}
		on := b.procOf(children(t, s)["w"].Ref)
		begin := time.Now()
		lost[b.cfg.Node] = true
		w.lose(a, b)
		synctest.Wait()
		if took := time.Since(begin); where() != "c@h" || took > 0 {
			t.Errorf("after its node was lost the child runs on %s, %v later", where(), took)
		}
		<-on.Done() // the one that was cut off ends with its link
		moved := c.procOf(children(t, s)["w"].Ref)
		s.Stop()
		<-s.Done()
		<-moved.Done() // children elsewhere end with their supervisor
		if err := moved.Reason(); !errors.Is(err, ErrShutdown) {
			t.Errorf("it ended with %v", err)
		}
		synctest.Wait()
		for _, p := range []*Processes{a, c} {
			if n := len(p.ties.nodes); n > 0 {
				t.Errorf("%s: %d ties are left", p.cfg.Node, n)
			}
		}
	})
}

func (p *Processes) procOf(ref name.Ref) *Process {
	proc, err := p.find(ToRef(ref))
	if err != nil {
		panic(err)
	}
	return proc
}

func TestOffersAreForThoseAllowed(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		ran := make(chan name.Node, 10)
		run := func(_ context.Context, self *Self, args Message) error {
			ran <- args.From.Node
			return errors.New("its end")
		}
		must(t, at.Offer("open", Anyone, run))
		must(t, at.Offer("closed", Only(name.MustNode("x@h")), run))
		if err := at.Offer("open", Anyone, run); err == nil {
			t.Error("a name is offered twice")
		}
		watcher := w.run(from, Spec{Run: func(ctx context.Context, self *Self) error {
			ref, err := self.StartOn(ctx, at.cfg.Node, "open", 1, StartOptions{Monitor: true})
			if err != nil {
				return err
			}
			d, _, err := Receive[Down](ctx, self)
			if err == nil && (d.Target.Ref != ref || d.Reason == nil || errors.Is(d.Reason, ErrNoProcess)) {
				return fmt.Errorf("down %+v of %s", d, ref)
			}
			return err
		}})
		<-watcher.Done()
		must(t, watcher.Reason())
		if node := <-ran; node != from.cfg.Node {
			t.Errorf("started by %s", node)
		}
		if _, err := from.StartOn(t.Context(), at.cfg.Node, "closed", nil, StartOptions{}); from != at && !errors.Is(err, ErrDenied) {
			t.Errorf("by one who may not: %v", err)
		}
		if _, err := from.StartOn(t.Context(), at.cfg.Node, "nothing", nil, StartOptions{}); !errors.Is(err, ErrNoProcess) {
			t.Errorf("what is not offered: %v", err)
		}
		must(t, at.Offer("open", nil, nil))
		if _, err := from.StartOn(t.Context(), at.cfg.Node, "open", nil, StartOptions{}); !errors.Is(err, ErrNoProcess) {
			t.Errorf("what was taken back: %v", err)
		}
	})
}
