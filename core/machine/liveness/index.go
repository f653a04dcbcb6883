package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// index says where the record of a peer lies. Every node of a large cluster has one of
// all members, so it is an open table of four bytes a slot and no map, which takes
// three times as much.
type index struct {
	slots []int32 // place of a record, from 1; 0: free
	shift uint8   // from a hash to a slot
}

const leastShift = 32 - 3 // eight slots

// reserve makes room for so many records, and finds their slots anew.
func (t *table) reserve(count int) {
	if count <= len(t.index.slots)/4*3 {
		return
	}
	shift := uint8(leastShift)
	for count > 1<<(32-shift)/4*3 {
		shift--
	}
	t.index = index{slots: make([]int32, 1<<(32-shift)), shift: shift}
	for i := range t.records {
		t.index.slots[t.slot(t.records[i].peer)] = int32(i + 1)
	}
}

// home is the slot in which a peer is looked for first.
func (x *index) home(p overlay.Peer) int { return int(uint32(p) * 0x9e3779b1 >> x.shift) }

// slot is where a peer is, or would be.
func (t *table) slot(p overlay.Peer) int {
	i, mask := t.index.home(p), len(t.index.slots)-1
	for {
		at := t.index.slots[i]
		if at == 0 || t.records[at-1].peer == p {
			return i
		}
		i = (i + 1) & mask
	}
}

// vacate frees a slot. Who was turned away by it moves up.
func (t *table) vacate(i int) {
	slots := t.index.slots
	mask := len(slots) - 1
	for j := (i + 1) & mask; slots[j] != 0; j = (j + 1) & mask {
		home := t.index.home(t.records[slots[j]-1].peer)
		if (j-home)&mask >= (j-i)&mask {
			slots[i], i = slots[j], j
		}
	}
	slots[i] = 0
}
