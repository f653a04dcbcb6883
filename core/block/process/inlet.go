package process

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Bounds of the waiting of streams for each other.
const (
	maxQueued = 32              // streams of one shard
	gapTime   = 5 * time.Second // for the stream before, which may be on its way
)

// inlet orders the streams of one shard of a guest: they are read one after another.
// Guarded by Processes.mu.
type inlet struct {
	last  uint64  // the highest generation that has had its turn
	queue []*turn // by generation; the first one is read, or waits for one before it
}

// turn is a stream in the queue.
type turn struct {
	generation uint64
	after      uint64        // the stream before, if it may be on its way
	ready      chan struct{} // closed when the stream may be read
	started    bool
}

// queueUp adds a stream; nil for one that comes too late, because reading it would
// break the order, and for one too many.
func (p *Processes) queueUp(in *inlet, generation, after uint64) *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	byGeneration := func(t *turn, g uint64) int { return cmp.Compare(t.generation, g) }
	i, taken := slices.BinarySearchFunc(in.queue, generation, byGeneration)
	if taken || generation <= in.last || len(in.queue) >= maxQueued {
		return nil
	}
	t := &turn{generation: generation, after: after, ready: make(chan struct{})}
	in.queue = slices.Insert(in.queue, i, t)
	in.advance(false)
	return t
}

// advance lets the first of the queue start, if nothing is before it; late means that
// what might be before it has been waited for.
func (in *inlet) advance(late bool) {
	if len(in.queue) == 0 {
		return
	}
	if t := in.queue[0]; !t.started && (late || t.after <= in.last) {
		t.started = true
		in.last = t.generation
		close(t.ready)
	}
}

// await waits for the turn of a stream.
func (p *Processes) await(ctx context.Context, in *inlet, t *turn, ended <-chan struct{}) bool {
	gap := time.NewTimer(gapTime)
	defer gap.Stop()
	for {
		select {
		case <-t.ready:
			return true
		case <-gap.C:
			if !p.hurry(in, t) {
				gap.Reset(gapTime) // what is before it is being read
			}
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (p *Processes) hurry(in *inlet, t *turn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.queue[0] != t {
		return false
	}
	in.advance(true)
	return true
}

func (p *Processes) leave(in *inlet, t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.queue = slices.DeleteFunc(in.queue, func(other *turn) bool { return other == t })
	in.advance(false)
}
