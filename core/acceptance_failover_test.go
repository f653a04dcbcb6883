package core_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// noticedWithin is within which time a member that died without a word is noticed: 3s of
// silence since its last heartbeat, of which there is one a second.
const noticedWithin = 4 * time.Second

// The children of a supervisor whose node dies without a word run on another one within 1s
// of the time in which that is noticed, whenever it dies and however many they are.
func TestChildrenOfAKilledNodeMove(t *testing.T) {
	t.Parallel()
	for at := range 3 { // anywhere between two heartbeats
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			boss, first, second := w.boot(named(seed1)+table), w.boot(named(seed2)+contacts+table), w.boot(named("third@10.0.0.3")+contacts+table)
			eventually(t, "the first is known", knowEachOther(boss, first))
			eventually(t, "the second is known", knowEachOther(boss, second))
			const many = 8 // more than the restarts that a supervisor allows
			runs := make(chan name.Node, 2*many)
			for _, n := range []*core.Node{first, second} {
				if err := core.OfferStart(n, "work", core.Anyone, func(ctx context.Context, self *core.Self, _ string) error {
					runs <- self.Node()
					_, _, err := core.Receive[string](ctx, self)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			nodes := func() []name.Node { return []name.Node{first.Name(), second.Name()} } // whoever is there
			child := core.Child{Place: &core.Place{Function: "work", Args: "args", Nodes: nodes}}
			s, err := boss.Supervise(t.Context(), core.SupervisorSpec{Children: slices.Repeat([]core.Child{child}, many)})
			if err != nil {
				t.Fatal(err)
			}
			for range many {
				if on := <-runs; on != first.Name() {
					t.Fatalf("a child runs on %s", on)
				}
			}
			time.Sleep(5*time.Second + time.Duration(at)*390*time.Millisecond)
			w.ether.kill("10.0.0.2")
			killed := time.Now()
			for range many {
				on := <-runs
				if took := time.Since(killed); on != second.Name() || took > noticedWithin+time.Second {
					t.Errorf("after %v a child runs on %s, want it on %s within %v", took, on, second.Name(), noticedWithin+time.Second)
				}
			}
			t.Logf("%v after their node was killed all children run on the other", time.Since(killed))
			s.Stop()
			<-s.Done()
		})
	}
}
