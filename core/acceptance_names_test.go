package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// three are nodes in virtual time that know each other.
func three(t *testing.T) (w *world, nodes []*core.Node) {
	t.Helper()
	w = newWorld(t)
	for _, node := range []string{seed1, seed2, "third@10.0.0.3"} {
		nodes = append(nodes, w.boot(named(node)+contacts+table))
	}
	eventually(t, "they know each other", allAlive(3, nodes...))
	return w, nodes
}

func allAlive(count int, nodes ...*core.Node) func() bool {
	return func() bool {
		return !slices.ContainsFunc(nodes, func(n *core.Node) bool { return len(n.Alive()) != count })
	}
}

// holder is a process that says what it lost.
func holder(t *testing.T, n *core.Node) (*core.Process, <-chan core.Lost) {
	t.Helper()
	lost := make(chan core.Lost, 1)
	proc, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		l, _, err := core.Receive[core.Lost](ctx, self)
		lost <- l
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return proc, lost
}

// When two parts of a cluster meet that each have a holder of a global name, the resolver
// chooses, all nodes see the one that stays, and the other hears of it or ends.
func TestHoldersOfAGlobalNameMeet(t *testing.T) {
	t.Parallel()
	kinds := map[string]core.GlobalOptions{
		"default": {},
		"random":  {Resolve: core.KeepRandom},
		"highest": {Resolve: func(_ string, _, b name.Ref) name.Ref { return b }},
		"exit":    {Resolve: core.KeepLowest, ExitLoser: true},
	}
	synctest.Test(t, func(t *testing.T) {
		w, nodes := three(t)
		here, there := nodes[0], nodes[2]
		w.ether.split(1, "10.0.0.3")
		eventually(t, "they have given each other up", func() bool { return allAlive(2, nodes[:2]...)() && allAlive(1, there)() })
		procs := map[string][2]*core.Process{}
		losses := map[string][2]<-chan core.Lost{}
		for kind, options := range kinds {
			a, lostA := holder(t, here)
			b, lostB := holder(t, there)
			procs[kind], losses[kind] = [2]*core.Process{a, b}, [2]<-chan core.Lost{lostA, lostB}
			if err := errors.Join(here.Global().Register(t.Context(), kind, a, options), there.Global().Register(t.Context(), kind, b, options)); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
		}
		w.ether.split(0, "10.0.0.3")
		eventually(t, "they have met again", allAlive(3, nodes...))
		if err := nodes[1].Global().Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for kind := range kinds {
			winner, _ := here.Global().Whereis(kind)
			for _, n := range nodes {
				if ref, there := n.Global().Whereis(kind); !there || ref != winner {
					t.Errorf("%s: %s finds %s, %s finds %s", kind, here.Name(), winner, n.Name(), ref)
				}
			}
			w, l := 0, 1
			if winner == procs[kind][1].Ref() {
				w, l = 1, 0
			}
			if want := map[string]int{"default": 0, "highest": 1, "exit": 0, "random": w}[kind]; w != want {
				t.Errorf("%s: the wrong one stays", kind)
			}
			loser := procs[kind][l]
			<-loser.Done()
			if kind == "exit" {
				if !errors.Is(loser.Reason(), core.ErrTaken) {
					t.Errorf("%s: the loser ended with %v", kind, loser.Reason())
				}
			} else if lost := <-losses[kind][l]; lost.Name != kind || lost.Winner != winner {
				t.Errorf("%s: the loser heard %+v", kind, lost)
			}
			procs[kind][w].Stop()
		}
	})
}

// Some nodes of several do not answer.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, nodes := three(t)
		a, silent := nodes[0], nodes[2].Name()
		var all []name.Node
		heard := make(chan name.Node, 8)
		for _, n := range nodes {
			all = append(all, n.Name())
			offer(t, n, "double", core.Handle(func(_ context.Context, x int) (int, error) { return 2 * x, nil }))
			offer(t, n, "news", core.Handle(func(_ context.Context, text string) (string, error) { heard <- n.Name(); return text, nil }))
			if _, err := core.Voter(n, "topic", func(_ context.Context, _ name.Node, x int) bool { return x > 0 && n != nodes[1] }); err != nil {
				t.Fatal(err)
			}
		}
		double := name.MustService("double")
		whole := a.Expect(all...)
		changed, healed := make(chan core.Presence, 8), make(chan core.Presence, 8)
		watching, stopWatching := context.WithCancel(t.Context())
		watched := make(chan error, 1)
		go func() {
			watched <- whole.Watch(watching, func(p core.Presence) { changed <- p }, func(p core.Presence) { healed <- p })
		}()
		if p := <-changed; !p.Whole() {
			t.Errorf("at first %v are missing", p.Missing)
		}
		if got, err := core.Propose(t.Context(), a, "topic", all, 1); err != nil || len(got.Accepted) < 2 {
			t.Errorf("a vote of all: %+v, %v", got, err)
		}
		if err := core.CastAll(a, core.Everywhere(name.MustService("news"), all), "hello"); err != nil {
			t.Error(err)
		}
		for range all {
			<-heard
		}

		w.ether.kill("10.0.0.3")
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		answers, failed := core.Sort(core.Multicall[int, int](ctx, a, core.Everywhere(double, all), 4))
		if len(answers) != 2 || answers[a.Name()] != 8 || len(failed) != 1 || failed[0].Node != silent {
			t.Errorf("at the deadline %v, nothing of %v", answers, failed)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if got, err := core.Propose(ctx, a, "topic", all, 1); !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(got.Silent, []name.Node{silent}) {
			t.Errorf("a vote with one for, one against and one silent: %+v, %v", got, err)
		}
		if got, err := core.Propose(t.Context(), a, "topic", all, -1); !errors.Is(err, core.ErrNoMajority) {
			t.Errorf("a vote that two reject: %+v, %v", got, err)
		}
		promise := core.Go[int, int](t.Context(), a, "double@"+silent.String(), 1)
		if _, there, err := promise.Try(100 * time.Millisecond); there || err != nil {
			t.Errorf("an answer that is not there yet: %v, %v", there, err)
		}
		if _, err := promise.Wait(t.Context()); !errors.Is(err, core.ErrNoConnection) {
			t.Errorf("a call to the dead: %v", err)
		}
		if got, err := core.Map[int, int](t.Context(), a, double, []int{1, 2, 3, 4, 5}, core.MapOptions{Nodes: all}); err != nil || !slices.Equal(got, []int{2, 4, 6, 8, 10}) {
			t.Errorf("mapped over nodes of which one is gone: %v, %v", got, err)
		}
		if p := <-changed; !slices.Equal(p.Missing, []name.Node{silent}) || !p.Majority() {
			t.Errorf("missing %v, majority %v", p.Missing, p.Majority())
		}
		w.ether.revive("10.0.0.3")
		if p := <-healed; !p.Whole() {
			t.Errorf("healed, and %v are missing", p.Missing)
		}
		stopWatching()
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
