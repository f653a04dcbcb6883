package plumtree

import "math/bits"

// span is how many sequence numbers a window looks back over holes.
const span = 1024

// maxWindows is how many windows an origin has: lives, and stretches of a life far apart.
const maxWindows = 4

// window remembers which numbers of one stretch were seen: all in [base, low), those with
// a bit in [low, low+span), none above.
type window struct {
	life, base, low uint64
	used            uint64             // by the count of its origin
	bits            *[span / 64]uint64 // nil: no holes
}

// covers reports whether a number belongs to this window.
func (w *window) covers(life, seq uint64) bool {
	return w.life == life && seq >= w.base && (seq < w.low || seq-w.low < 2*span)
}

func (w *window) has(seq uint64) bool {
	switch {
	case seq < w.low:
		return true
	case w.bits == nil || seq-w.low >= span:
		return false
	}
	i := seq - w.low
	return w.bits[i/64]&(1<<(i%64)) != 0
}

// add notes a number that the window covers and has not. Holes that fall out at the
// lower end count as seen.
func (w *window) add(seq uint64) {
	if i := seq - w.low; i >= span {
		w.slide(i - span + 1)
	}
	i := seq - w.low
	if w.bits == nil {
		if i == 0 {
			w.low++
			return
		}
		w.bits = new([span / 64]uint64)
	}
	w.bits[i/64] |= 1 << (i % 64)
	w.slide(w.ones())
}

// ones counts the numbers seen from low on without a hole.
func (w *window) ones() uint64 {
	for i, word := range w.bits {
		if n := bits.TrailingZeros64(^word); n < 64 {
			return uint64(i)*64 + uint64(n)
		}
	}
	return span
}

func (w *window) slide(n uint64) {
	w.low += n
	if w.bits == nil {
		return
	}
	words, rest := int(min(n/64, span/64)), n%64
	for i := range w.bits {
		var word uint64
		if from := i + words; from < len(w.bits) {
			word = w.bits[from] >> rest
			if rest > 0 && from+1 < len(w.bits) {
				word |= w.bits[from+1] << (64 - rest)
			}
		}
		w.bits[i] = word
	}
	if *w.bits == [span / 64]uint64{} {
		w.bits = nil
	}
}
