package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Of several nodes that want a name at the same time one gets it.
func TestOneOfManyGetsAGlobalName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, nodes := three(t)
		var all sync.WaitGroup
		var got atomic.Int64
		for _, n := range nodes {
			for range 3 {
				proc := member(t, n)
				all.Go(func() {
					err := n.Global().Register(t.Context(), "one", proc, core.GlobalOptions{})
					if err == nil {
						got.Add(1)
					} else if !errors.Is(err, core.ErrTaken) {
						t.Errorf("%s: %v", n.Name(), err)
					}
				})
			}
		}
		var mu sync.Mutex
		holders := map[name.Ref]bool{}
		var running atomic.Int64
		for _, n := range nodes {
			for range 3 {
				all.Go(func() {
					ref, err := n.Global().Ensure(t.Context(), "ensured", core.Spec{Run: func(ctx context.Context, _ *core.Self) error {
						running.Add(1)
						defer running.Add(-1)
						<-ctx.Done()
						return nil
					}}, core.GlobalOptions{})
					if err != nil {
						t.Errorf("%s: %v", n.Name(), err)
					}
					mu.Lock()
					defer mu.Unlock()
					holders[ref] = true
				})
			}
		}
		all.Wait()
		if n := got.Load(); n != 1 {
			t.Errorf("%d of 9 got the name", n)
		}
		if len(holders) != 1 {
			t.Errorf("the holders are %v", holders)
		}
		eventually(t, "one process is left", func() bool { return running.Load() == 1 })
		if err := nodes[2].Global().Sync(t.Context()); err != nil {
			t.Error(err)
		}
		for _, n := range nodes {
			if names := n.Global().Names(); !slices.Equal(names, []string{"ensured", "one"}) {
				t.Errorf("%s knows the names %q", n.Name(), names)
			}
		}
		for _, n := range nodes { // only that of the holder has something to give back
			if err := n.Global().Unregister("one"); err != nil {
				t.Error(err)
			}
		}
		eventually(t, "the name is free", func() bool {
			return !slices.ContainsFunc(nodes, func(n *core.Node) bool { return slices.Contains(n.Global().Names(), "one") })
		})
		if err := nodes[1].Global().Register(t.Context(), "one", member(t, nodes[1]), core.GlobalOptions{}); err != nil {
			t.Errorf("a name that was given back: %v", err)
		}
	})
}

// A claim lasts no longer than who has made it: not when the name could not be registered,
// and not when its node dies.
func TestAClaimEndsWithItsReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, nodes := three(t)
		proc := member(t, nodes[1])
		proc.Stop() // so that it cannot be registered, after the claim
		<-proc.Done()
		began := time.Now()
		if err := nodes[1].Global().Register(t.Context(), "failed", proc, core.GlobalOptions{}); err == nil {
			t.Error("the name of a process that has ended")
		}
		take := func(n *core.Node, global string) {
			t.Helper()
			eventually(t, "the name "+global+" is free", func() bool {
				err := n.Global().Register(t.Context(), global, member(t, n), core.GlobalOptions{})
				if err != nil && !errors.Is(err, core.ErrTaken) {
					t.Errorf("%s: %v", global, err)
				}
				return err == nil
			})
		}
		take(nodes[0], "failed")
		if took := time.Since(began); took > time.Second {
			t.Errorf("a name that could not be registered is free after %v", took)
		}

		// A node that dies between its claim and its registration.
		ref := member(t, nodes[2]).Ref()
		if err := core.ClaimGlobal(t.Context(), nodes[2], "dying", ref); err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].Global().Register(t.Context(), "dying", member(t, nodes[0]), core.GlobalOptions{}); !errors.Is(err, core.ErrTaken) {
			t.Errorf("a name that is claimed: %v", err)
		}
		w.ether.kill("10.0.0.3")
		began = time.Now()
		take(nodes[0], "dying")
		if took := time.Since(began); took > noticedWithin+time.Second {
			t.Errorf("the claim of a dead node is over after %v", took)
		}
	})
}

// Two holders whose resolvers each keep their own both stay: that is told, and who waits
// for one holder gets an error.
func TestHoldersWhoseResolversDisagree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, nodes := three(t)
		tapes := []*tape{record(t, nodes[0]), record(t, nodes[2])}
		w.ether.split(1, "10.0.0.3")
		eventually(t, "they have given each other up", func() bool { return allAlive(2, nodes[:2]...)() && allAlive(1, nodes[2])() })
		highest := func(_ string, _, b name.Ref) name.Ref { return b }
		neither := func(string, name.Ref, name.Ref) name.Ref { return name.Ref{} }
		losses := map[*core.Process]<-chan core.Lost{}
		for kind, resolvers := range map[string][2]core.Resolver{
			"disagree": {core.KeepLowest, highest},
			"neither":  {neither, neither},
		} {
			for i, n := range []*core.Node{nodes[0], nodes[2]} {
				proc, lost := holder(t, n)
				if kind == "neither" {
					losses[proc] = lost
				} else {
					defer proc.Stop()
				}
				if err := n.Global().Register(t.Context(), kind, proc, core.GlobalOptions{Resolve: resolvers[i]}); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.ether.split(0, "10.0.0.3")
		eventually(t, "they have met again", allAlive(3, nodes...))
		for _, lost := range losses {
			if l := <-lost; l.Name != "neither" || !l.Winner.IsZero() {
				t.Errorf("when neither is kept: %+v", l)
			}
		}
		for _, n := range nodes {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := n.Global().Sync(ctx)
			cancel()
			if !errors.Is(err, core.ErrConflict) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s waits for one holder: %v", n.Name(), err)
			}
			eventually(t, "nobody has what neither keeps", func() bool { _, found := n.Global().Whereis("neither"); return !found })
		}
		for _, tape := range tapes {
			eventually(t, "the conflict is told", func() bool {
				return slices.ContainsFunc(tape.all("service", "conflict"), func(e core.Event) bool {
					return e.Extra["name"] == "disagree" && e.Extra["winner"] == ""
				})
			})
		}
	})
}
