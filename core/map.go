package core

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// perNode is how many items one node works on at the same time, unless the options say.
const perNode = 4

// MapOptions says how Map works.
type MapOptions struct {
	Nodes   []name.Node // that hold the service; none: the members that are alive
	PerNode int         // items that one node works on at the same time, at most; 0: 4
}

// hand is a node that works on items.
type hand struct {
	target Target
	slots  chan struct{} // for items that it works on
	away   atomic.Bool   // it is gone, or has not the service
}

// Map has the service of many nodes work on items, one call for each, and returns the
// answers in the order of the items. Each node is given an item whenever it has done
// one. An item whose node is gone, or has not the service, is given to another, and that
// node is asked last from then on; a handler that fails ends the whole.
func Map[In, Out any](ctx context.Context, n *Node, service name.Service, items []In, o MapOptions) ([]Out, error) {
	if len(o.Nodes) == 0 {
		o.Nodes = n.Alive()
	}
	if len(o.Nodes) == 0 {
		return nil, fmt.Errorf("map %s: %w", service, ErrNotRunning)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := cmp.Or(max(o.PerNode, 0), perNode)
	hands := make([]*hand, len(o.Nodes))
	for i, node := range o.Nodes {
		hands[i] = &hand{target: process.ToName(node, service), slots: make(chan struct{}, limit)}
	}
	work := make(chan int)
	out := make([]Out, len(items))
	var all sync.WaitGroup
	for w := range limit * len(hands) {
		all.Go(func() {
			for i := range work {
				var err error
				if out[i], err = mapOne[In, Out](ctx, n, items[i], hands, w); err != nil {
					cancel(fmt.Errorf("item %d: %w", i, err))
				}
			}
		})
	}
	deal(ctx, len(items), work)
	all.Wait()
	return out, context.Cause(ctx)
}

// deal gives out the numbers of the items.
func deal(ctx context.Context, items int, work chan<- int) {
	defer close(work)
	for i := 0; i < items && ctx.Err() == nil; i++ {
		select {
		case work <- i:
		case <-ctx.Done():
		}
	}
}

// mapOne tries the nodes in turn, beginning with one.
func mapOne[In, Out any](ctx context.Context, n *Node, item In, hands []*hand, first int) (out Out, err error) {
	for _, h := range inTurn(hands, first) {
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return out, ctx.Err()
		}
		out, err = Call[In, Out](ctx, n, h.target, item)
		<-h.slots
		gone := isAny(err, ErrNoConnection, ErrNoProcess, ErrStopped)
		h.away.Store(gone)
		if err == nil || ctx.Err() != nil || !gone {
			return out, err
		}
	}
	return out, err
}

// inTurn is all from one on, those last that are away.
func inTurn(hands []*hand, first int) []*hand {
	first %= len(hands)
	turn := slices.Concat(hands[first:], hands[:first])
	here := slices.DeleteFunc(slices.Clone(turn), func(h *hand) bool { return h.away.Load() })
	return append(here, slices.DeleteFunc(turn, func(h *hand) bool { return slices.Contains(here, h) })...)
}
