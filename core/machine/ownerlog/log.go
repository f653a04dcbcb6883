package ownerlog

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// log is what a replica knows of one owner.
type log struct {
	key  string // the owner's name
	head Head   // of the last batch that was applied; Seq 0: none of this incarnation
	live set

	kept      []*Batch // the last batches, up to head, for others
	keptBytes int
	held      []*Batch // batches that came early, by number
	heldBytes int
	gapSince  overlay.Time // Never: no gap
	queued    bool         // in the list of gaps

	alive    uint64           // the incarnation at which the owner is alive; 0: it is not
	goneAt   overlay.Time     // since when it is not; Never while it is
	freed    bool             // entries and batches have been given up; the head is a watermark
	forked   bool             // what is here is not what the owner signed: to be fetched whole
	oversize bool             // the owner went beyond its bounds
	excess   antientropy.Mark // with which batch, and how far
	exceeded overlay.Time     // and when that was seen
	counted  bool             // in the sums
	print    uint64           // with this fingerprint
}

// visible: an entry is shown while its owner is alive at the incarnation that wrote it.
func (l *log) visible() bool { return l.head.Seq > 0 && l.alive == l.head.Inc && !l.freed }

// mark says how far this replica is, for one who compares.
func (l *log) mark() antientropy.Mark {
	if l.head.Seq == 0 || l.freed {
		return antientropy.Mark{Key: l.key, Inc: l.head.Inc}
	}
	m := antientropy.Mark{Key: l.key, Inc: l.head.Inc, Seq: l.head.Seq, Tag: l.head.Tag(), Size: uint64(l.cost())}
	if l.forked {
		m.Tag = 0
	}
	return m
}

// cost is about how many bytes a snapshot takes.
func (l *log) cost() int { return costOf(l.live.count, l.live.bytes) }

func costOf(count, bytes int) int { return 256 + bytes + 8*count }

const (
	keptMost  = 128 // batches
	keptLeast = 4 << 10
	heldMost  = 64 // batches
	heldBytes = 1 << 20
)

// keep remembers a batch for others, for as long as that is cheaper for them than a
// snapshot.
func (l *log) keep(b *Batch) {
	l.kept = append(l.kept, b)
	l.keptBytes += b.size()
	drop := 0
	for len(l.kept)-drop > keptMost || drop < len(l.kept) && l.keptBytes > keptLeast+l.cost() {
		l.keptBytes -= l.kept[drop].size()
		drop++
	}
	if drop > 0 {
		l.kept = append([]*Batch(nil), l.kept[drop:]...)
	}
}

// hold remembers a batch that came early, unless there is no room.
func (l *log) hold(b *Batch) {
	i, found := slices.BinarySearchFunc(l.held, b.Head.Seq, func(h *Batch, seq uint64) int {
		if h.Head.Seq < seq {
			return -1
		}
		return int(min(h.Head.Seq-seq, 1))
	})
	if found || len(l.held) >= heldMost || l.heldBytes+b.size() > heldBytes {
		return
	}
	l.held = slices.Insert(l.held, i, b)
	l.heldBytes += b.size()
}

// removals are the batches kept here that removed something; no more of them than
// whoever is behind can hold.
func (l *log) removals() (list []*Batch) {
	for _, b := range l.kept {
		if slices.ContainsFunc(b.Ops, func(op Op) bool { return op.Remove }) {
			list = append(list, b)
		}
	}
	return list[max(0, len(list)-heldMost):]
}

// reasons are those of removals up to a batch, as held batches tell them.
func (l *log) reasons(seq uint64) map[string]string {
	told := map[string]string{}
	for _, b := range l.held {
		if b.Head.Seq > seq {
			break
		}
		for i := range b.Ops {
			if op := &b.Ops[i]; op.Remove {
				told[op.Key] = op.Val
			} else {
				delete(told, op.Key)
			}
		}
	}
	return told
}

// settle forgets held batches that are of no use any more.
func (l *log) settle() {
	n := 0
	for n < len(l.held) && l.held[n].Head.Seq <= l.head.Seq {
		l.heldBytes -= l.held[n].size()
		n++
	}
	l.held = l.held[n:]
	if len(l.held) == 0 {
		l.held, l.heldBytes = nil, 0
		if !l.forked {
			l.gapSince = overlay.Never
		}
	}
}

// forget gives everything up but the head.
func (l *log) forget() {
	l.live, l.kept, l.keptBytes, l.held, l.heldBytes = set{}, nil, 0, nil, 0
	l.gapSince = overlay.Never
}

// undo is what an operation replaced.
type undo struct {
	key, val string
	had      bool
}

// attempt applies operations to the live entries and returns what they replaced. If the
// outcome is not as it should be, nothing has changed and nil comes back.
func (l *log) attempt(ops []Op, ok func() bool) []undo {
	undone := make([]undo, 0, len(ops))
	for i := range ops {
		u := undo{key: ops[i].Key}
		if ops[i].Remove {
			u.val, u.had = l.live.remove(u.key)
		} else {
			u.val, u.had = l.live.put(u.key, ops[i].Val)
		}
		undone = append(undone, u)
	}
	if ok() {
		return undone
	}
	for _, u := range slices.Backward(undone) {
		if u.had {
			l.live.put(u.key, u.val)
		} else {
			l.live.remove(u.key)
		}
	}
	return nil
}
