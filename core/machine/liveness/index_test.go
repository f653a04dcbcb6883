package liveness

import (
	"math/rand/v2"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// The table finds whom a map would find, whoever came and went before.
func TestIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tab := newTable(func(p overlay.Peer) uint64 { return uint64(p) }, 0)
	want := map[overlay.Peer]bool{}
	for range 20_000 {
		p := overlay.Peer(rng.IntN(300)) << (8 * rng.IntN(3)) // also numbers that differ in high bits only
		if want[p] {
			tab.remove(p)
			delete(want, p)
		} else {
			tab.add(record{peer: p, state: Alive})
			want[p] = true
		}
		q := overlay.Peer(rng.IntN(300))
		if r := tab.find(q); (r != nil) != want[q] || r != nil && r.peer != q {
			t.Fatalf("%d: found %v, want %t", q, r, want[q])
		}
	}
	for p := range want {
		if r := tab.find(p); r == nil || r.peer != p {
			t.Fatalf("%d is lost", p)
		}
	}
	if len(tab.records) != len(want) || tab.living != len(want) || tab.slots() != len(want) {
		t.Errorf("%d records, %d living, %d slots; want %d", len(tab.records), tab.living, tab.slots(), len(want))
	}
}
