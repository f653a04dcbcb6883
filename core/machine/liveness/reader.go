package liveness

import (
	"encoding/binary"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// reader takes fields off a byte slice; after the first that does not fit it is bad and
// yields zeros.
type reader struct {
	rest  []byte
	names Names
	bad   bool
}

// fixed reads a big-endian number of size bytes.
func (r *reader) fixed(size int) uint64 {
	if r.bad || size > len(r.rest) {
		r.bad = true
		return 0
	}
	n := uint64(0)
	for _, b := range r.rest[:size] {
		n = n<<8 | uint64(b)
	}
	r.rest = r.rest[size:]
	return n
}

// number reads a varint that is at most most, in its shortest form.
func (r *reader) number(most uint64) uint64 {
	n, w := binary.Uvarint(r.rest)
	if r.bad || w <= 0 || w != width(n) || n > most {
		r.bad = true
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

func (r *reader) bytes(most uint64) []byte {
	n := r.number(most)
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) peer() overlay.Peer {
	id := r.fixed(8)
	if r.bad {
		return overlay.Nobody
	}
	return r.names.Peer(id)
}

// room reads a count of things of at least that many bytes each.
func (r *reader) room(most, least uint64) int {
	n := r.number(most)
	if n*least > uint64(len(r.rest)) {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return int(n)
}

func (r *reader) counts() []Count {
	n := r.room(maxCounts, 12)
	if n == 0 {
		return nil
	}
	counts := make([]Count, n)
	for i := range counts {
		counts[i] = Count{Peer: r.peer(), Count: uint32(r.number(1<<32 - 1)), Tag: uint16(r.fixed(2)), Age: uint8(r.fixed(1))}
	}
	return counts
}

func (r *reader) sums() []uint64 {
	n := r.room(buckets, 8)
	if n == 0 {
		return nil
	}
	sums := make([]uint64, n)
	for i := range sums {
		sums[i] = r.fixed(8)
	}
	return sums
}

func (r *reader) entries() []Entry {
	n := r.room(maxEntries, 13)
	if n == 0 {
		return nil
	}
	entries := make([]Entry, n)
	for i := range entries {
		r.entry(&entries[i])
	}
	return entries
}

func (r *reader) entry(e *Entry) {
	id := r.fixed(8)
	e.Inc, e.Ref, e.Count = r.number(1<<64-1), uint32(r.number(1<<32-1)), uint32(r.number(1<<32-1))
	e.Age = overlay.Time(r.number(1<<40)) * millisecond
	state := r.fixed(1)
	e.State = State(state &^ proved)
	if e.State > Left {
		r.bad = true
	}
	if state&proved != 0 {
		e.Proof = &Proof{Record: r.bytes(maxRecord), Sig: r.bytes(maxSig)}
	}
	switch {
	case r.bad:
	case e.Proof != nil:
		r.names.Prove(id, e)
	default:
		if e.Peer = r.names.Peer(id); e.Peer == overlay.Nobody {
			e.ID = id
		}
	}
}
