package core_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
)

// Nodes with small views that others join all the time throw their neighbours out a
// thousand times, and none of them is ever taken for down, or for suspect.
func TestAThousandEvictions(t *testing.T) {
	t.Parallel()
	size, evictions := 12, scaled(1000, 100)
	synctest.Test(t, func(t *testing.T) {
		c := newIslands(t, size, func(s *membershiphyparview.Settings) { s.ActiveSize = 3 })
		began := time.Now()
		for evicted := 0; evicted < evictions; evicted = c.evictions() {
			if time.Since(began) > 12*time.Hour {
				t.Fatalf("%d evictions in %v", evicted, time.Since(began))
			}
			from, to := rand.IntN(size), rand.IntN(size)
			if from != to {
				_ = c.heralds[from].node.Join(t.Context(), c.heralds[to].node.Name()) // one that was here a moment ago is refused
			}
			time.Sleep(time.Second)
		}
		t.Logf("%d evictions in %v", c.evictions(), time.Since(began))
		time.Sleep(time.Minute)
		for _, h := range c.heralds {
			if got := members(h.node, membership.Alive); got != size {
				t.Errorf("%s takes %d for alive, want %d", h.node.Name(), got, size)
			}
		}
		for _, what := range []membership.EventType{membership.MemberDown, membership.MemberSuspect, membership.MemberLeft} {
			for _, e := range c.throng.since(time.Time{}, what, name.Node{}) {
				t.Errorf("n%d: %s of %s: %s", e.by, e.Type, e.Node, e.Reason)
			}
		}
	})
}

// evictions counts the neighbours that had to go for others.
func (c *throng) evictions() (count int) {
	for _, e := range c.since(time.Time{}, membership.PeerDown, name.Node{}) {
		if e.Reason == "dropped" {
			count++
		}
	}
	return count
}
