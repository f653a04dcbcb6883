package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Broadcasts listens to Deliver events, by their key. Put Observe into the
// configuration of the world.
type Broadcasts struct {
	index map[uint64]int
	all   []Broadcast
	seen  map[delivery]bool
}

type delivery struct {
	key uint64
	at  overlay.Peer
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
	return &Broadcasts{index: map[uint64]int{}, seen: map[delivery]bool{}}
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
	}
	one := &b.all[i]
	if b.seen[delivery{e.Key, at}] {
		one.Repeated++
		return
	}
	b.seen[delivery{e.Key, at}] = true
	one.Delivered++
	one.LastHop, one.Last = max(one.LastHop, e.Round), now
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
func (b *Broadcasts) Has(key uint64, at overlay.Peer) bool { return b.seen[delivery{key, at}] }

// Forget drops what was heard, to begin anew.
func (b *Broadcasts) Forget() {
	clear(b.index)
	clear(b.seen)
	b.all = b.all[:0]
}
