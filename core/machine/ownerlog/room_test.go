package ownerlog

import (
	"fmt"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Where as many owners are known as there may be, one that is alive takes the place of one
// that is not; when all are alive, the next is counted as left out.
func TestTheLivingHaveRoom(t *testing.T) {
	const most = 40
	b := newBench(t, func(c *Config) { c.MaxOwners = most })
	owner := func(i int) name.Node { return name.MustNode(fmt.Sprintf("x%d@h", i)) }
	for i := range most - 2 { // and o@h, and the node itself
		o := New(config(owner(i), 1))
		_ = o.Stage(Op{Key: "k", Val: "1"})
		b.store.Up(b.now, owner(i), 1)
		b.receive(o.Seal())
		b.store.Gone(b.now, owner(i), 1, "lost")
		b.now += minute
	}
	b.changes()
	for i := most; i < 2*most-2; i++ {
		if !b.store.Up(b.now, owner(i), 1) {
			t.Fatalf("%d: nothing is missed of one that has just come", i)
		}
		o := New(config(owner(i), 1))
		_ = o.Stage(Op{Key: "k", Val: "1"})
		b.receive(o.Seal())
		b.expectChanges("added k=1")
	}
	if n := b.store.Stats().LeftOut; n > 0 {
		t.Errorf("%d left out, want none yet", n)
	}
	if b.store.Up(b.now, owner(0), 2) || b.store.Stats().LeftOut != 1 {
		t.Errorf("one too many: %+v", b.store.Stats())
	}
	b.check()
}
