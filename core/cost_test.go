package core_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/barrelp2p/barrel/core"
)

// What nodes may cost on real QUIC while nothing happens. quic-go runs two goroutines
// for each connection, links two, and broadcasts two for each neighbour.
const (
	mostPerLinkEnd = 6       // goroutines
	mostPerNode    = 60      // goroutines, with five neighbours
	mostMemory     = 3 << 19 // bytes of heap and stacks, of such a node
)

func TestCostOfIdleLinks(t *testing.T) {
	const size = 6 // so that each has five neighbours
	field := newField(t)
	field.sets = append(field.sets, "membership.use=full")
	before := weigh()
	nodes := make([]*core.Node, size)
	for i := range nodes {
		nodes[i] = field.start(fmt.Sprintf("n%d@127.0.0.1", i))
	}
	alone := weigh()
	for _, n := range nodes[1:] {
		field.join(n, nodes[0])
	}
	const ends = size * (size - 1)
	var linked cost
	eventually(t, "idle links cost no more goroutines than they may", func() bool {
		linked = weigh()
		return links(t, nodes) == ends && linked.goroutines-alone.goroutines <= ends*mostPerLinkEnd
	})
	t.Logf("node without links: %v; link end: %v; node with %d links: %v",
		alone.minus(before).by(size), linked.minus(alone).by(ends), size-1, linked.minus(before).by(size))
	each := linked.minus(before).by(size)
	if each.goroutines > mostPerNode || each.memory > mostMemory {
		t.Errorf("a node with %d links costs %v, want at most %d goroutines and %d KiB", size-1, each, mostPerNode, mostMemory>>10)
	}
}

// cost is what a part of the program takes.
type cost struct {
	goroutines int
	memory     int64
}

func weigh() cost {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what was in pools goes with the second
	runtime.ReadMemStats(&m)
	return cost{runtime.NumGoroutine(), int64(m.HeapAlloc + m.StackInuse)}
}

func (c cost) minus(d cost) cost { return cost{c.goroutines - d.goroutines, c.memory - d.memory} }

func (c cost) by(n int) cost { return cost{c.goroutines / n, c.memory / int64(n)} }

func (c cost) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB", c.goroutines, c.memory>>10)
}

func links(t *testing.T, nodes []*core.Node) (count int) {
	t.Helper()
	for _, n := range nodes {
		count += len(adminOf(t, n).Links())
	}
	return count
}
