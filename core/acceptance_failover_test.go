package core_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// noticedWithin is within which time a member that died without a word is noticed: 3s of
// silence since its last heartbeat, of which there is one a second.
const noticedWithin = 4 * time.Second

// A child of a supervisor whose node dies without a word runs on another one within 1s of
// the time in which that is noticed, whenever it dies.
func TestAChildOfAKilledNodeMoves(t *testing.T) {
	t.Parallel()
	for at := range 3 { // anywhere between two heartbeats
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			boss, first, second := w.boot(named(seed1)+table), w.boot(named(seed2)+contacts+table), w.boot(named("third@10.0.0.3")+contacts+table)
			eventually(t, "the first is known", knowEachOther(boss, first))
			eventually(t, "the second is known", knowEachOther(boss, second))
			runs := make(chan name.Node, 8)
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
			s, err := boss.Supervise(t.Context(), core.SupervisorSpec{Children: []core.Child{
				{ID: "child", Place: &core.Place{Function: "work", Args: "args", Nodes: nodes}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if on := <-runs; on != first.Name() {
				t.Fatalf("the child runs on %s", on)
			}
			time.Sleep(5*time.Second + time.Duration(at)*390*time.Millisecond)
			w.ether.kill("10.0.0.2")
			killed := time.Now()
			on := <-runs
			took := time.Since(killed)
			t.Logf("%v after its node was killed the child runs on %s", took, on)
			if on != second.Name() || took > noticedWithin+time.Second {
				t.Errorf("after %v the child runs on %s, want it on %s within %v", took, on, second.Name(), noticedWithin+time.Second)
			}
			s.Stop()
			<-s.Done()
		})
	}
}
