package ownerlog

import (
	"crypto/sha256"
	"hash"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Excess is what a Reader keeps of a snapshot that is beyond its bounds: enough to know
// whether the owner signed it.
type Excess struct {
	Head  Head // State is what the entries said
	Count int  // of the entries
	Bytes int  // of their keys and values
}

// Bounds of what a Reader passes over in one snapshot: what any replica may allow itself.
const (
	excessItems = 1 << 20
	excessBytes = 1 << 30
)

// digester digests entries that come sorted by key, and keeps none of them.
type digester struct {
	flat hash.Hash
	fans []hash.Hash // nil: the set is small
	buf  []byte
}

func newDigester(count int) *digester {
	d := &digester{flat: sha256.New()}
	if count > flatMost {
		d.fans = make([]hash.Hash, fans)
	}
	return d
}

func (d *digester) add(items ...Item) {
	for i := range items {
		h := d.flat
		if d.fans != nil {
			h = d.fan(fanOf(items[i].Key))
		}
		d.buf = appendItem(d.buf[:0], &items[i])
		h.Write(d.buf)
	}
}

func (d *digester) fan(i byte) hash.Hash {
	if d.fans[i] == nil {
		d.fans[i] = sha256.New()
	}
	return d.fans[i]
}

func (d *digester) sum() (sum Digest) {
	for _, h := range d.fans {
		var part Digest
		if h != nil {
			h.Sum(part[:0])
		}
		d.flat.Write(part[:])
	}
	d.flat.Sum(sum[:0])
	return sum
}

// exceed: the log stands still at what is here.
func (l *log) exceed(now overlay.Time, seq uint64, cost int) {
	l.oversize = true
	l.excess, l.exceeded = antientropy.Mark{Seq: seq, Size: uint64(cost)}, now
	l.held, l.heldBytes, l.gapSince = nil, 0, overlay.Never
}

// Exceed takes what is left of a snapshot that is beyond the bounds of this replica. If it
// is what the owner signed, he is reported as Oversize.
func (s *Store) Exceed(now overlay.Time, e *Excess) {
	h := &e.Head
	known := s.logs[h.Owner.String()]
	if !s.supersedes(known, h) {
		return
	}
	s.stats.Oversize++
	if l := s.open(now, h.Owner); l != nil {
		s.begin(l, h.Inc)
		l.exceed(now, h.Seq, costOf(e.Count, e.Bytes))
	}
}

// excessAgain is how often an owner that was too large, and goes on to write without
// becoming smaller, is looked at again.
const excessAgain = time.Minute

// Refuses reports whether it is of no use to fetch what a peer has: it is no smaller than
// what was too large before.
func (s *Store) Refuses(now overlay.Time, m *antientropy.Mark) bool {
	l := s.logs[m.Key]
	if l == nil || !l.oversize || m.Inc != l.head.Inc || m.Size < l.excess.Size {
		return false
	}
	return m.Seq <= l.excess.Seq || now-l.exceeded < excessAgain
}
