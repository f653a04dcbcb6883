package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// record is what is known of one member.
type record struct {
	peer      overlay.Peer
	ref       uint32
	inc       uint64
	state     State
	told      State // what the last event said
	expired   bool  // down because its counter stood still
	held      bool  // down, and MemberDown is held back
	count     uint32
	since     overlay.Time // of the state
	moved     overlay.Time // when its counter did, as far as that can be known here
	base      overlay.Time // up to when its steps are accounted for, at twice their speed
	fell      overlay.Time // when it was down last, in this life
	doubted   overlay.Time // when this node last spread or heard a doubt
	proof     *Proof
	suspicion *suspicion
}

// up reports whether the member counts among the living.
func (r *record) up() bool { return r.state == Alive || r.state == Suspect }

// stamp compares (incarnation, refutation) with that of the record.
func (r *record) stamp(inc uint64, ref uint32) int {
	switch {
	case inc < r.inc || inc == r.inc && ref < r.ref:
		return -1
	case inc == r.inc && ref == r.ref:
		return 0
	}
	return 1
}

func (r *record) entry(now overlay.Time) Entry {
	age := max(now-r.moved, 0)
	return Entry{Peer: r.peer, State: r.state, Ref: r.ref, Inc: r.inc, Count: r.count, Age: age - age%millisecond, Proof: r.proof}
}

// bare is the entry without its proof.
func (r *record) bare(now overlay.Time) Entry {
	e := r.entry(now)
	e.Proof = nil
	return e
}

const (
	millisecond = overlay.Time(1_000_000)
	longAgo     = -1 << 60 // before everything; a difference to it does not overflow
)

// table is all members, this node first, with sums over the living for comparisons.
type table struct {
	records []record
	index   index
	id      func(overlay.Peer) uint64
	sums    [buckets]uint64
	living  int // alive or suspect
	down    int
}

// newTable makes a table with room for so many records, and for more when they come.
func newTable(id func(overlay.Peer) uint64, count int) table {
	t := table{id: id, records: make([]record, 0, count)}
	t.reserve(count)
	return t
}

func (t *table) find(p overlay.Peer) *record {
	at := t.index.slots[t.slot(p)]
	if at == 0 {
		return nil
	}
	return &t.records[at-1]
}

func (t *table) bucket(p overlay.Peer) int { return int(fold(t.id(p), 0) % buckets) }

// fold mixes a number into a hash.
func fold(h, v uint64) uint64 {
	h = (h ^ v) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// weigh adds the record to the sums (sign 1) or takes it off (sign -1, as a uint64).
func (t *table) weigh(r *record, sign uint64) {
	switch {
	case r.up():
		t.living += int(int64(sign))
		t.sums[t.bucket(r.peer)] += sign * fold(fold(fold(t.id(r.peer), 1), r.inc), uint64(r.ref))
	case r.state == Down:
		t.down += int(int64(sign))
	}
}

const minus = ^uint64(0)

func (t *table) add(r record) *record {
	t.reserve(len(t.records) + 1)
	slot := t.slot(r.peer)
	t.records = append(t.records, r)
	t.index.slots[slot] = int32(len(t.records))
	t.weigh(&r, 1)
	return &t.records[len(t.records)-1]
}

// change runs a change of state or stamp and keeps the sums right.
func (t *table) change(r *record, change func()) {
	t.weigh(r, minus)
	change()
	t.weigh(r, 1)
}

// remove takes a record off; the last one takes its place.
func (t *table) remove(p overlay.Peer) {
	slot := t.slot(p)
	i := int(t.index.slots[slot] - 1)
	t.weigh(&t.records[i], minus)
	t.vacate(slot)
	last := len(t.records) - 1
	if i != last {
		t.index.slots[t.slot(t.records[last].peer)] = int32(i + 1)
		t.records[i] = t.records[last]
	}
	t.records[last] = record{}
	t.records = t.records[:last]
}
