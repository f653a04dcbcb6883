package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// queue is a heap with four children per node: of two events at the same moment the
// one that was added first comes first.
type queue struct {
	items []item
	seq   uint64
}

type item struct {
	at  overlay.Time
	seq uint64
	ref uint32 // of the event
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (q *queue) push(at overlay.Time, ref uint32) {
	q.seq++
	it := item{at: at, seq: q.seq, ref: ref}
	q.items = append(q.items, it)
	i := len(q.items) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !it.before(&q.items[parent]) {
			break
		}
		q.items[i] = q.items[parent]
		i = parent
	}
	q.items[i] = it
}

func (q *queue) pop() item {
	top := q.items[0]
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	if len(q.items) > 0 {
		q.sink(last)
	}
	return top
}

// sink puts it where the top was, and lower as long as a child comes before it.
func (q *queue) sink(it item) {
	i, n := 0, len(q.items)
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if q.items[c].before(&q.items[least]) {
				least = c
			}
		}
		if !q.items[least].before(&it) {
			break
		}
		q.items[i] = q.items[least]
		i = least
	}
	q.items[i] = it
}
