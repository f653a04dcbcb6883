package core_test

import (
	"context"
	"sync"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// load counts how many items a node works on at the same time.
type load struct {
	mu        sync.Mutex
	now, most map[name.Node]int
	full      chan struct{} // closed when as many are under way as there may be
	limit     int
}

func (l *load) begin(node name.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now[node]++
	l.most[node] = max(l.most[node], l.now[node])
	sum := 0
	for _, n := range l.now {
		sum += n
	}
	if sum == l.limit {
		select {
		case <-l.full:
		default:
			close(l.full)
		}
	}
}

func (l *load) end(node name.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now[node]--
}

// PerNode bounds what one node works on at the same time, also when it works for another
// that is gone.
func TestMapLoadsNoNodeBeyondItsBound(t *testing.T) {
	t.Parallel()
	const perNode = 3
	for _, holders := range []int{3, 2} { // of three nodes
		lab := newLab(t)
		service := name.MustService("work")
		l := &load{now: map[name.Node]int{}, most: map[name.Node]int{}, full: make(chan struct{}), limit: holders * perNode}
		var all []*core.Node
		var nodes []name.Node
		for i, node := range []string{"a@h", "b@h", "c@h"} {
			n := lab.start(node)
			all, nodes = append(all, n), append(nodes, n.Name())
			if i >= holders {
				continue
			}
			proc, err := n.Spawn(core.Spec{Workers: 64, Handle: core.Handle(func(ctx context.Context, x int) (int, error) {
				l.begin(n.Name())
				defer l.end(n.Name())
				select {
				case <-l.full:
				case <-ctx.Done():
				}
				return 2 * x, ctx.Err()
			})})
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Bind(service, proc.Ref()); err != nil {
				t.Fatal(err)
			}
		}
		items := make([]int, 200)
		for i := range items {
			items[i] = i
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := core.Map[int, int](ctx, all[0], service, items, core.MapOptions{Nodes: nodes, PerNode: perNode})
		cancel()
		if err != nil {
			t.Fatalf("%d holders: %v", holders, err)
		}
		for i, got := range out {
			if got != 2*i {
				t.Fatalf("item %d became %d", i, got)
			}
		}
		for _, node := range nodes[:holders] {
			if l.most[node] != perNode {
				t.Errorf("%d holders: %s worked on %d items at the same time, want %d", holders, node, l.most[node], perNode)
			}
		}
	}
}
