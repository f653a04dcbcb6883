//go:build !race

package core_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/barrelp2p/barrel/core"
)

// What processes and messages may cost, without the race detector, which allocates and has
// memory of its own. These tests are not parallel, so that nothing else
// of the package runs meanwhile, and leave speed to benchmarks.
const (
	mostAllocsPerCall  = 2       // on one node
	mostAllocsPerSmall = 1.2     // of a message between nodes: its payload, and a share of what carries many
	mostPerProcess     = 4 << 10 // bytes, idle
)

func TestCostOfACall(t *testing.T) {
	n := newLab(t).start("a@h")
	proc, err := n.Spawn(core.Spec{Handle: func(_ context.Context, m core.Message) (any, error) { return m.Value(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	request, ref, ctx := []byte("request"), proc.Ref(), t.Context()
	call := func() {
		if _, err := core.Call[[]byte, []byte](ctx, n, ref, request); err != nil {
			t.Error(err)
		}
	}
	if allocs := testing.AllocsPerRun(5000, call); allocs > mostAllocsPerCall {
		t.Errorf("a call allocates %v times, at most %d", allocs, mostAllocsPerCall)
	}
}

func TestCostOfIdleProcesses(t *testing.T) {
	const many = 100_000
	n := newLab(t).start("a@h")
	before := weigh()
	for range many {
		if _, err := n.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
			_, err := self.Receive(ctx)
			return err
		}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all run", func() bool { return runtime.NumGoroutine() >= before.goroutines+many })
	each := weigh().minus(before).memory / many
	t.Logf("%d idle processes take %d bytes each", many, each)
	if each > mostPerProcess {
		t.Errorf("an idle process takes %d bytes, at most %d", each, mostPerProcess)
	}
}

func TestCostOfSmallMessages(t *testing.T) {
	lab := newLab(t)
	a, b := lab.pair()
	const many = 50_000
	over := make(chan struct{}, 1)
	sink, err := b.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		for got := 1; ; got++ {
			m, err := self.Receive(ctx)
			if err != nil {
				return err
			}
			if len(m.Bytes()) != 64 {
				t.Errorf("a message of %d bytes", len(m.Bytes()))
			}
			if got%many == 0 {
				over <- struct{}{}
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var value any = make([]byte, 64)
	to := core.Target{Node: b.Name(), Ref: sink.Ref()}
	begin := make(chan struct{}, 1)
	_, err = a.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		for range begin {
			for range many {
				if err := self.Send(ctx, to, value); err != nil {
					t.Error(err)
					return err
				}
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer close(begin)
	all := func() {
		begin <- struct{}{}
		<-over
	}
	if allocs := testing.AllocsPerRun(3, all) / many; allocs > mostAllocsPerSmall {
		t.Errorf("a message of 64 bytes allocates %.2f times, at most %v", allocs, mostAllocsPerSmall)
	} else {
		t.Logf("a message of 64 bytes allocates %.2f times", allocs)
	}
}
