package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// queue holds what is to happen: of two events at the same moment the one that was added
// first comes first. Most of it is timers that are far away, and most of what is added
// is messages that are near: what is near has a small heap of its own, that stays in
// the cache of the processor.
type queue struct {
	near, far heap
	seq       uint64
}

const (
	nearMost = 512 // more than that, and near begins anew
	nearOnce = 64  // are taken from far when near is empty
)

func (q *queue) len() int { return len(q.near) + len(q.far) }

// first is when the next event is. The queue is not empty.
func (q *queue) first() overlay.Time { return q.near[0].at }

func (q *queue) push(at overlay.Time, ref uint32) {
	q.seq++
	it := item{at: at, seq: q.seq, ref: ref}
	switch {
	case len(q.near) == 0 || len(q.far) > 0 && q.far[0].before(&it):
		q.far.push(it)
	default:
		q.near.push(it)
	}
	switch {
	case len(q.near) > nearMost:
		for _, it := range q.near {
			q.far.push(it)
		}
		q.near = q.near[:0]
		q.refill()
	case len(q.near) == 0:
		q.refill()
	}
}

func (q *queue) pop() item {
	it := q.near.pop()
	if len(q.near) == 0 {
		q.refill()
	}
	return it
}

// refill takes the next events from far.
func (q *queue) refill() {
	for range min(nearOnce, len(q.far)) {
		q.near = append(q.near, q.far.pop()) // in order, which is a heap
	}
}

type item struct {
	at  overlay.Time
	seq uint64
	ref uint32 // of the event
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// heap has four children per node.
type heap []item

func (h *heap) push(it item) {
	*h = append(*h, it)
	items := *h
	i := len(items) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !it.before(&items[parent]) {
			break
		}
		items[i] = items[parent]
		i = parent
	}
	items[i] = it
}

func (h *heap) pop() item {
	items := *h
	top, last := items[0], items[len(items)-1]
	*h = items[:len(items)-1]
	if len(*h) > 0 {
		h.sink(last)
	}
	return top
}

// sink puts it where the top was, and lower as long as a child comes before it.
func (h *heap) sink(it item) {
	items := *h
	i, n := 0, len(items)
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if items[c].before(&items[least]) {
				least = c
			}
		}
		if !items[least].before(&it) {
			break
		}
		items[i] = items[least]
		i = least
	}
	items[i] = it
}
