package core_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
)

// The middle layer: many nodes with the real membership over the real QUIC, in virtual
// time, on a packet network that does to them what networks do.

// scaled is how much of a scenario there is: all of it, or as much as shows whether
// something races, where the detector makes everything six times as slow. make test has
// the longest of them without it.
func scaled[T int | time.Duration](all, underDetector T) T {
	if raced {
		return underDetector
	}
	return all
}

// islands is such a network with its nodes.
type islands struct {
	*throng
	*world
}

// host is where the node of a number is.
func host(i int) string { return fmt.Sprintf("10.0.0.%d", i+1) }

// newIslands makes nodes that all start at once and join through the first, and waits
// until all know each other.
func newIslands(t *testing.T, size int, changes ...func(*membershiphyparview.Settings)) *islands {
	t.Helper()
	is := &islands{&throng{t: t, calls: map[uint64]*cry{}}, newWorld(t)}
	for i := range size {
		is.settle(i, changes...)
	}
	is.start()
	began := time.Now()
	for !is.whole() && time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began)
	t.Logf("%d nodes that started at once know each other after %v", size, took)
	if took > 10*time.Second { // one of them may have to join twice
		t.Errorf("%d nodes that started at once know each other after %v, want 10s at most", size, took)
	}
	return is
}

// calm is a while in which nothing happens.
func (is *islands) calm() { time.Sleep(scaled(time.Minute, 15*time.Second)) }

// settle makes the next node, which is to join through the first.
func (is *islands) settle(i int, changes ...func(*membershiphyparview.Settings)) *herald {
	h := is.herald()
	h.node = is.node(fmt.Sprintf(`
node: {name: n%d@%s}
bootstrap: {contact_nodes: [n0@10.0.0.1], retry: 5s}
transport: {use: quic, quic: {listen: ":9100"}}
discovery: {use: [static], static: {nodes: {n0@10.0.0.1: ["10.0.0.1:9100"]}}}
`, i, host(i)), h.membership(changes...))
	return h
}

// start starts all nodes at the same time.
func (is *islands) start() {
	is.throng.t.Helper()
	var starts sync.WaitGroup
	for _, h := range is.heralds {
		starts.Go(func() {
			if err := h.node.Start(context.Background()); err != nil {
				is.throng.t.Error(err)
			}
		})
		is.throng.t.Cleanup(func() { stop(is.throng.t, h.node) })
	}
	starts.Wait()
}

// alive is the nodes that one takes for alive.
func alive(n *core.Node) (nodes []name.Node) {
	for _, m := range n.Members() {
		if m.State == membership.Alive {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// agree reports whether some nodes take one another for alive, and nobody else.
func (is *islands) agree(some ...int) bool {
	var want []name.Node
	for _, i := range some {
		want = append(want, is.heralds[i].node.Name())
	}
	slices.SortFunc(want, name.Node.Compare)
	return !slices.ContainsFunc(some, func(i int) bool { return !slices.Equal(alive(is.heralds[i].node), want) })
}

// upTo is the numbers from and below.
func upTo(from, below int) (numbers []int) {
	for i := from; i < below; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// mustTell checks that some nodes told an event about themselves since a moment.
func (is *islands) mustTell(what membership.EventType, from time.Time, some ...int) {
	is.throng.t.Helper()
	for _, i := range some {
		if len(is.tellers(what, from, i)) == 0 {
			is.throng.t.Errorf("%s did not tell %q", is.heralds[i].node.Name(), what)
		}
	}
}

func (is *islands) tellers(what membership.EventType, from time.Time, by int) []saying {
	return slices.DeleteFunc(is.throng.since(from, what, name.Node{}), func(e saying) bool { return e.by != by })
}

// neverDown checks that none of some nodes took another of them for down.
func (is *islands) neverDown(from time.Time, some ...int) {
	is.throng.t.Helper()
	for _, e := range is.throng.since(from, membership.MemberDown, name.Node{}) {
		about := slices.IndexFunc(is.heralds, func(h *herald) bool { return h.node.Name() == e.Node })
		if slices.Contains(some, e.by) && slices.Contains(some, about) {
			is.throng.t.Errorf("n%d took n%d for down %v later: %s", e.by, about, e.at.Sub(from), e.Reason)
		}
	}
}

// Nodes that start all at once find each other; when half of them die at once the others
// know it, say that this may be a partition, and lose nobody else.
func TestHalfOfAJoinStormDies(t *testing.T) {
	t.Parallel()
	size := scaled(50, 10)
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, size)
		is.calm()
		killed := time.Now()
		for i := size / 2; i < size; i++ {
			is.ether.kill(host(i))
		}
		took := since(t, "the others know", func() bool { return is.agree(upTo(0, size/2)...) })
		t.Logf("half of %d nodes died; the others know after %v", size, took)
		is.mustTell(membership.Partitioned, killed, upTo(0, size/2)...)
		is.calm()
		if !is.agree(upTo(0, size/2)...) {
			t.Error("the survivors do not agree any more")
		}
		is.neverDown(time.Time{}, upTo(0, size/2)...)
	})
}

// A partition that lasts longer than everything that is remembered for a while heals in
// 30s, and is told.
func TestAPartitionOfHalfAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, 7)
		is.calm()
		began := time.Now()
		is.ether.split(1, host(3), host(4), host(5))
		is.ether.split(2, host(6))
		time.Sleep(scaled(30*time.Minute, 5*time.Minute))
		if !is.agree(0, 1, 2) || !is.agree(3, 4, 5) || !is.agree(6) {
			t.Errorf("the islands do not know who is on them")
		}
		is.neverDown(began, 0, 1, 2)
		is.neverDown(began, 3, 4, 5)
		is.mustTell(membership.Partitioned, began, upTo(0, 7)...)
		is.mustTell(membership.Isolated, began, 6)
		if !isolated(t, is.heralds[6].node) {
			t.Error("status does not say that the node is isolated")
		}
		healed := time.Now()
		is.ether.split(0, upToHosts(7)...)
		took := since(t, "all know each other", func() bool { return is.agree(upTo(0, 7)...) })
		t.Logf("whole %v after the network was", took)
		if took > 30*time.Second {
			t.Errorf("whole after %v, want it within 30s", took)
		}
		time.Sleep(30 * time.Second)
		is.mustTell(membership.Healed, began, upTo(0, 7)...)
		is.mustTell(membership.Connected, healed, 6)
		is.neverDown(healed, upTo(0, 7)...)
	})
}

func upToHosts(below int) (hosts []string) {
	for i := range below {
		hosts = append(hosts, host(i))
	}
	return hosts
}

func isolated(t *testing.T, n *core.Node) bool {
	t.Helper()
	return warned(t, n, "isolated")
}

// A node that has another address from one moment to the next stays the member it was.
func TestANodeIsMoved(t *testing.T) {
	t.Parallel()
	const size, moved = 8, 3
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, size)
		is.calm()
		began, before := time.Now(), is.heralds[moved].node.Members()
		is.ether.move(host(moved), "10.0.1.1")
		time.Sleep(2 * time.Minute)
		is.neverDown(began, upTo(0, size)...)
		if !is.agree(upTo(0, size)...) {
			t.Error("not all know each other afterwards")
		}
		if len(is.heralds[moved].node.View().Active) == 0 {
			t.Error("the moved node has no neighbours")
		}
		if after := is.heralds[moved].node.Members(); !slices.EqualFunc(before, after, func(a, b membership.Member) bool {
			return a.Node == b.Node && a.Incarnation == b.Incarnation
		}) {
			t.Errorf("members before %v, after %v", before, after)
		}
	})
}

// A node on a bad line is slow, and not dead.
func TestASlowNodeIsNotDead(t *testing.T) {
	t.Parallel()
	const size, slow = 8, 3
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, size)
		is.calm()
		began := time.Now()
		is.ether.slowDown(host(slow), &slowness{least: 300 * time.Millisecond, most: 700 * time.Millisecond, pace: time.Millisecond})
		time.Sleep(scaled(5*time.Minute, time.Minute))
		is.neverDown(began, upTo(0, size)...)
		suspicions := is.throng.since(began, membership.MemberSuspect, name.Node{})
		t.Logf("%d suspicions", len(suspicions))
		if !is.agree(upTo(0, size)...) {
			t.Error("not all know each other")
		}
	})
}

// A node that joins a quiet cluster knows all members, and they know it, although most
// of them have nothing to say.
func TestALatecomerIsKnownSoon(t *testing.T) {
	t.Parallel()
	const size = 12
	synctest.Test(t, func(t *testing.T) {
		is := newIslands(t, size)
		is.calm()
		late := is.settle(size)
		if err := late.node.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, late.node) })
		took := since(t, "all know each other", is.whole)
		t.Logf("the latecomer and %d others know each other after %v", size, took)
		if took > 3*time.Second {
			t.Errorf("all know each other after %v, want 3s at most", took)
		}
	})
}
