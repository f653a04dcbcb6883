package ownerlog

import (
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// What is missing of an owner that is not alive is not asked for, until it is; and when
// its log is forgotten, so is that something was missing, and what was held.
func TestGapsOfTheDead(t *testing.T) {
	b := newBench(t, nil)
	o := name.MustNode("o@h")
	b.write("k", "1")
	b.receive(b.write("k", "2")) // early
	due := func() []string { b.now += minute; return b.store.Due(b.now) }
	if got := due(); !slices.Equal(got, []string{"o@h"}) {
		t.Errorf("due: %v, want the owner that is alive", got)
	}
	b.store.Gone(b.now, o, 5, "lost")
	if got := due(); len(got) > 0 || b.store.Gaps() {
		t.Errorf("due of the dead: %v, gaps %t", got, b.store.Gaps())
	}
	b.store.Up(b.now, o, 5)
	if got := due(); !slices.Equal(got, []string{"o@h"}) {
		t.Errorf("due: %v, want the owner that is back", got)
	}
	b.store.Gone(b.now, o, 5, "lost")
	b.receive(b.write("k", "3"))
	b.now += 2 * 60 * minute
	for range 256 {
		b.store.Sweep(b.now)
	}
	if got := due(); len(got) > 0 || b.store.Gaps() || b.store.logs["o@h"] != nil {
		t.Errorf("due of one that is forgotten: %v, gaps %t", got, b.store.Gaps())
	}
}

// A gap that closes and opens again is one.
func TestGapsAreCountedOnce(t *testing.T) {
	b := newBench(t, nil)
	for range 100 {
		lost := b.write("k", "1")
		b.receive(b.write("k", "2"))
		b.receive(lost)
	}
	lost := b.write("k", "1")
	b.receive(b.write("k", "2"))
	if n := len(b.store.gaps); n != 1 {
		t.Errorf("%d gaps are remembered of one", n)
	}
	if got := b.store.Due(b.now + minute); !slices.Equal(got, []string{"o@h"}) {
		t.Errorf("due %v, want the owner once", got)
	}
	b.receive(lost)
	if got := b.store.Due(b.now + minute); len(got) > 0 || b.store.Gaps() {
		t.Errorf("due %v", got)
	}
}
