package antientropy

import "cmp"

// MaxKey is the longest key of a mark, in bytes.
const MaxKey = 512

// Mark says how far a store is with one thing. Marks of one key are ordered: by Inc,
// then Seq, then Tag.
type Mark struct {
	Key  string
	Inc  uint64 // the life of its writer
	Seq  uint64 // how far within that life
	Tag  uint64 // tells apart what should not differ, and decides then
	Size uint64 // bytes it takes to fetch all of it, about
}

// Compare orders two marks of one key.
func (m *Mark) Compare(other *Mark) int {
	return cmp.Or(cmp.Compare(m.Inc, other.Inc), cmp.Compare(m.Seq, other.Seq), cmp.Compare(m.Tag, other.Tag))
}

// Store is what is compared. Its answers hold until the next Step.
type Store interface {
	Sums() *Sums
	// Marks appends the marks of one bucket, in an order that does not depend on chance.
	Marks(bucket uint8, into []Mark) []Mark
	// Mark is how far this store is with a key; the zero Mark if it does not have it.
	Mark(key string) Mark
	// BucketOf says in which bucket a key lies.
	BucketOf(key string) uint8
}
