package membershiphyparview

import (
	"container/heap"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// timers holds what the machines have armed, the next one first. They never cancel; a
// timer that is out of date is ignored by its machine.
type timers []overlay.Arm

// Len, Less, Swap, Push and Pop are part of heap.Interface.
func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].At < t[j].At }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push is part of heap.Interface.
func (t *timers) Push(x any) {
	if arm, ok := x.(overlay.Arm); ok {
		*t = append(*t, arm)
	}
}

// Pop is part of heap.Interface.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

func (t *timers) arm(list []overlay.Arm) {
	for _, a := range list {
		heap.Push(t, a)
	}
}

// due takes the next timer off if its time has come.
func (t *timers) due(now overlay.Time) (overlay.Timer, bool) {
	if len(*t) == 0 || (*t)[0].At > now {
		return overlay.Timer{}, false
	}
	next := (*t)[0].Timer
	heap.Pop(t)
	t.shrink()
	return next, true
}

// shrink gives back what a storm of timers took.
func (t *timers) shrink() {
	if room := cap(*t); room > roomy && len(*t) < room/4 {
		*t = append(make(timers, 0, room/2), *t...)
	}
}

// roomy is room for so many timers that less is not worth the work.
const roomy = 64

// next is when the next timer is due, an hour from the epoch's end if there is none.
func (t timers) next() overlay.Time {
	if len(t) == 0 {
		return overlay.Never / 2
	}
	return min(t[0].At, overlay.Never/2)
}

var _ heap.Interface = (*timers)(nil)
