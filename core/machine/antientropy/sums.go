package antientropy

import "math/bits"

// Buckets is into how many parts a store is divided.
const Buckets = 256

// Sums is the fingerprint of a store: for each bucket the sum, modulo 2^64, of the
// fingerprints of what is in it. The zero Sums is that of an empty store.
type Sums struct {
	buckets [Buckets]uint64
	root    uint64
	count   int
}

// Add counts a thing in, with a fingerprint that is never 0.
func (s *Sums) Add(bucket uint8, fingerprint uint64) {
	s.shift(bucket, fingerprint)
	s.count++
}

// Drop takes a thing out that was added before.
func (s *Sums) Drop(bucket uint8, fingerprint uint64) {
	s.shift(bucket, -fingerprint)
	s.count--
}

func (s *Sums) shift(bucket uint8, by uint64) {
	s.root -= s.part(bucket)
	s.buckets[bucket] += by
	s.root += s.part(bucket)
}

// part is what a bucket adds to the root: its sum, mixed with its number, so that two
// things that change places between buckets are not missed.
func (s *Sums) part(bucket uint8) uint64 {
	x := s.buckets[bucket]
	if x == 0 {
		return 0
	}
	x ^= uint64(bucket) << 56
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Root is one number for the whole store.
func (s *Sums) Root() uint64 { return s.root }

// Count is how many things are in.
func (s *Sums) Count() int { return s.count }

// Bucket is the sum of one bucket.
func (s *Sums) Bucket(b uint8) uint64 { return s.buckets[b] }

// Set is a set of buckets.
type Set [Buckets / 64]uint64

// Add puts a bucket in.
func (s *Set) Add(b uint8) { s[b/64] |= 1 << (b % 64) }

// Has reports whether a bucket is in.
func (s *Set) Has(b uint8) bool { return s[b/64]>>(b%64)&1 == 1 }

// Len is how many buckets are in.
func (s *Set) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// differ lists the buckets whose sums are not those of the other store.
func (s *Sums) differ(other *[Buckets]uint64) (set Set) {
	for b := range Buckets {
		if s.buckets[b] != other[b] {
			set.Add(uint8(b))
		}
	}
	return set
}
