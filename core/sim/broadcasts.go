package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Broadcasts listens to Deliver events, by their key. Put Observe into the
// configuration of the world.
type Broadcasts struct {
	index map[uint64]int
	all   []Broadcast
	seen  [][]uint64 // of each, a bit for a node
}

// Broadcast is what became of one.
type Broadcast struct {
	Key       uint64
	Delivered int          // nodes
	Repeated  int          // deliveries of it to a node that had it
	LastHop   uint32       // the largest round of a delivery
	First     overlay.Time // delivery
	Last      overlay.Time
}

// NewBroadcasts makes a listener that has heard nothing.
func NewBroadcasts() *Broadcasts {
	return &Broadcasts{index: map[uint64]int{}}
}

// Observe takes an event of a node.
func (b *Broadcasts) Observe(now overlay.Time, at overlay.Peer, e *overlay.Event) {
	if e.Kind != overlay.Deliver {
		return
	}
	i, known := b.index[e.Key]
	if !known {
		i = len(b.all)
		b.index[e.Key] = i
		b.all = append(b.all, Broadcast{Key: e.Key, First: now})
		b.room(i)
	}
	one := &b.all[i]
	if b.mark(i, at) {
		one.Repeated++
		return
	}
	one.Delivered++
	one.LastHop, one.Last = max(one.LastHop, e.Round), now
}

// room gives a broadcast a clean set of nodes.
func (b *Broadcasts) room(i int) {
	if i == len(b.seen) {
		b.seen = append(b.seen, nil)
	}
	b.seen[i] = b.seen[i][:0]
}

// mark notes that a node got a broadcast, and reports whether it had it.
func (b *Broadcasts) mark(i int, at overlay.Peer) bool {
	word, bit := int(at/64), uint64(1)<<(at%64)
	for word >= len(b.seen[i]) {
		b.seen[i] = append(b.seen[i], 0)
	}
	had := b.seen[i][word]&bit != 0
	b.seen[i][word] |= bit
	return had
}

// Of is what became of the broadcast with that key so far.
func (b *Broadcasts) Of(key uint64) Broadcast {
	if i, known := b.index[key]; known {
		return b.all[i]
	}
	return Broadcast{Key: key}
}

// All lists the broadcasts in the order of their first delivery.
func (b *Broadcasts) All() []Broadcast { return b.all }

// Has reports whether a node got a broadcast.
func (b *Broadcasts) Has(key uint64, at overlay.Peer) bool {
	i, known := b.index[key]
	return known && int(at/64) < len(b.seen[i]) && b.seen[i][at/64]&(1<<(at%64)) != 0
}

// Forget drops what was heard, to begin anew.
func (b *Broadcasts) Forget() {
	clear(b.index)
	b.all = b.all[:0]
}
