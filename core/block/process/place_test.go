package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// workshop is a node with a supervisor and two that offer to run its children.
type workshop struct {
	boss, first, second *Processes
	running             map[*Processes]*atomic.Int64 // how many children run there
}

func newWorkshop(t *testing.T, w *world) *workshop {
	t.Helper()
	s := &workshop{boss: w.node("boss@h"), first: w.node("first@h"), second: w.node("second@h"), running: map[*Processes]*atomic.Int64{}}
	for _, p := range []*Processes{s.first, s.second} {
		count := &atomic.Int64{}
		s.running[p] = count
		must(t, p.Offer("work", Anyone, func(ctx context.Context, self *Self, _ Message) error {
			count.Add(1)
			defer count.Add(-1)
			m, err := self.Receive(ctx)
			if err == nil && text(m.Value()) == "unreachable" {
				err = ErrNoConnection // of its own
			}
			return err
		}))
	}
	return s
}

// placed is a child that runs on one of the two.
func (s *workshop) placed(id string) Child {
	nodes := []name.Node{s.first.cfg.Node, s.second.cfg.Node}
	return Child{ID: id, Place: &Place{Function: "work", Nodes: func() []name.Node { return nodes }}}
}

func (s *workshop) children(n int) (out []Child) {
	for i := range n {
		out = append(out, s.placed(fmt.Sprint("child", i)))
	}
	return out
}

// A node that is lost with many children is no fault of theirs: the supervisor starts all
// of them elsewhere, at once, and goes on.
func TestTheLossOfANodeIsNoFaultOfItsChildren(t *testing.T) {
	for _, strategy := range []Strategy{OneForOne, OneForAll, RestForOne} {
		inWorld(t, func(t *testing.T, w *world) {
			s := newWorkshop(t, w)
			const many = 8
			super, err := s.boss.Supervise(t.Context(), SupervisorSpec{Strategy: strategy, Intensity: 1, Children: s.children(many)})
			must(t, err)
			began := time.Now()
			w.die(s.first)
			synctest.Wait()
			if n := s.running[s.second].Load(); n != many {
				t.Errorf("strategy %d: %d of %d children run on the other node at once, the supervisor ended with %v", strategy, n, many, super.Reason())
			}
			list, err := super.Children(t.Context())
			must(t, err)
			if took := time.Since(began); took > 0 {
				t.Errorf("strategy %d: the children are there after %v", strategy, took)
			}
			for _, c := range list {
				if c.Ref.Node != s.second.cfg.Node || !errors.Is(c.Last, ErrNoConnection) {
					t.Errorf("strategy %d: %+v", strategy, c)
				}
			}
		})
	}
}

// A child that ends because it cannot reach somebody has failed, and its node is there.
func TestAChildThatReachesNobodyFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := newWorkshop(t, w)
		super, err := s.boss.Supervise(t.Context(), SupervisorSpec{Intensity: 2, Children: s.children(1)})
		must(t, err)
		for range 3 {
			ref := children(t, super)["child0"].Ref
			if ref.Node != s.first.cfg.Node {
				t.Errorf("the child runs on %s", ref.Node)
			}
			must(t, s.boss.Send(t.Context(), ToRef(ref), "unreachable"))
			synctest.Wait()
		}
		<-super.Done()
		if err := super.Reason(); !errors.Is(err, ErrTooManyRestarts) {
			t.Errorf("it ended with %v", err)
		}
	})
}

// A node that stops in good order ends its processes, not their supervisor elsewhere.
func TestChildrenMoveFromANodeThatStops(t *testing.T) {
	for _, restart := range []Restart{Permanent, Temporary} {
		inWorld(t, func(t *testing.T, w *world) {
			s := newWorkshop(t, w)
			child := s.placed("child")
			child.Restart = restart
			super, err := s.boss.Supervise(t.Context(), SupervisorSpec{Children: []Child{child}})
			must(t, err)
			must(t, s.first.Offer("work", Anyone, nil)) // it takes no more
			s.first.procOf(children(t, super)["child"].Ref).Stop()
			synctest.Wait()
			list, err := super.Children(t.Context())
			if err != nil {
				t.Fatalf("the supervisor ended with %v", super.Reason())
			}
			if restart == Permanent && (len(list) != 1 || list[0].Ref.Node != s.second.cfg.Node) {
				t.Errorf("children %+v", list)
			}
		})
	}
}

// A node that stands still for a while gets its child's start late: the child has been
// started elsewhere by then, and runs once.
func TestAChildIsNotStartedTwiceByANodeThatStoodStill(t *testing.T) {
	for _, order := range []string{"as it was sent", "the other way round"} {
		t.Run(order, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s := newWorkshop(t, w)
				super, err := s.boss.Supervise(t.Context(), SupervisorSpec{Children: s.children(4)}) // so that there are streams
				must(t, err)
				link := w.link(s.boss.cfg.Node, s.first.cfg.Node)
				link.pause(true)
				ref, err := super.Start(t.Context(), s.placed("late"))
				if err != nil || ref.Node != s.second.cfg.Node {
					t.Errorf("started as %s, %v", ref, err)
				}
				pipes := link.pause(false)
				if order != "as it was sent" {
					slices.Reverse(pipes)
				}
				for _, p := range pipes {
					p.pause(false)
					synctest.Wait()
				}
				if n := s.running[s.first].Load(); n != 4 {
					t.Errorf("%d children run on the node that stood still, want 4", n)
				}
				if n := s.running[s.second].Load(); n != 1 {
					t.Errorf("%d children run on the other node, want 1", n)
				}
				list, err := super.Children(t.Context())
				must(t, err)
				for _, c := range list {
					if c.Ref.IsZero() || c.Restarts > 0 {
						t.Errorf("child %+v", c)
					}
				}
			})
		})
	}
}

// Who is no process can start one with a monitor too.
func TestStartedWithAMonitor(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		begin := make(chan struct{})
		allow := func(name.Node) bool { <-begin; return true }
		var ran atomic.Int64
		must(t, at.Offer("ends", Anyone, func(ctx context.Context, self *Self, _ Message) error { ran.Add(1); return endsWith(ctx, self) }))
		ref, down, stop, err := from.StartMonitored(t.Context(), at.cfg.Node, "ends", nil, StartOptions{})
		must(t, err)
		defer stop()
		must(t, from.Send(t.Context(), ToRef(ref), "its reason"))
		if d := <-down; d.Target.Ref != ref || d.Reason == nil || !strings.Contains(d.Reason.Error(), "its reason") {
			t.Errorf("down %+v of %s", d, ref)
		}
		if _, err := from.StartOn(t.Context(), at.cfg.Node, "ends", nil, StartOptions{Monitor: true}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a monitor for nobody: %v", err)
		}
		_, down, stop, err = from.StartMonitored(t.Context(), at.cfg.Node, "ends", nil, StartOptions{})
		must(t, err)
		stop()
		if _, _, _, err := from.StartMonitored(t.Context(), at.cfg.Node, "nothing", nil, StartOptions{}); !errors.Is(err, ErrNoProcess) {
			t.Errorf("what is not offered: %v", err)
		}
		must(t, at.Offer("slow", allow, func(context.Context, *Self, Message) error { ran.Add(1); return nil }))
		if from != at {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, _, err := from.StartMonitored(ctx, at.cfg.Node, "slow", nil, StartOptions{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a start that takes too long: %v", err)
			}
		}
		close(begin)
		synctest.Wait()
		if n := ran.Load(); n != 2 {
			t.Errorf("%d processes ran, want 2", n)
		}
		select {
		case d := <-down:
			t.Errorf("a monitor that was taken back: %+v", d)
		default:
		}
		from.ties.mu.Lock()
		defer from.ties.mu.Unlock()
		if n := len(from.ties.local); n > 0 {
			t.Errorf("%d monitors of what was never started are left", n)
		}
	})
}

// A start on this node that is given up before it happens never happens, and one that has
// happened by then ends.
func TestAStartGivenUpHere(t *testing.T) {
	for _, when := range []string{"before", "behind"} {
		inWorld(t, func(t *testing.T, w *world) {
			p := w.node("a@h")
			proc := w.run(p, Spec{Run: endsWith})
			pending := &pendingMonitor{tell: func(Down) {}}
			number := p.expect(p.cfg.Node, pending)
			if when == "behind" {
				p.watchStarted(proc, p.Self(), number)
			}
			p.unexpect(p.cfg.Node, number)
			pending.undo()
			if when == "before" {
				p.watchStarted(proc, p.Self(), number)
			}
			<-proc.Done()
			if err := proc.Reason(); !errors.Is(err, ErrKilled) {
				t.Errorf("given up %s it: %v", when, err)
			}
		})
	}
}

// A node that stops does not wait for a child elsewhere that takes its time to end: what it
// is told of that would not arrive any more.
func TestAStopDoesNotWaitForAChildElsewhere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		boss, other := w.node("boss@h"), w.node("other@h")
		release := make(chan struct{})
		defer close(release)
		must(t, other.Offer("slow", Anyone, func(context.Context, *Self, Message) error {
			<-release
			return nil
		}))
		place := &Place{Function: "slow", Nodes: func() []name.Node { return []name.Node{other.cfg.Node} }}
		super, err := boss.Supervise(t.Context(), SupervisorSpec{Children: []Child{{ID: "slow", Place: place, Shutdown: time.Hour}}})
		must(t, err)
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_ = super.StopChild(context.Background(), "slow") // the supervisor has ended, one way or the other
		}()
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := boss.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if took := time.Since(began); took > 2*stopGrace {
			t.Errorf("it took %v", took)
		}
		<-asked
	})
}
