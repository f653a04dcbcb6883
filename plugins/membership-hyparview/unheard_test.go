package membershiphyparview

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
)

// A node with as many neighbours as it wants dials a member of which it hears nothing before it
// takes it for down: perhaps its neighbours are all among themselves, and so are that member's.
func TestWhoIsNotHeardIsDialed(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		for i := range defaults().ActiveSize {
			d.joins(someone(fmt.Sprint("near", i), 1))
		}
		far := someone("far", 1)
		body, sig := far.record(0, false)
		d.broadcast(announce(far, 0, false, body, sig))
		d.expect(far.node, membership.Alive, "it has said so")
		dialed := func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return slices.Contains(d.dialed, far.node)
		}
		began := time.Now()
		for !dialed() && d.state(far.node) == membership.Alive {
			time.Sleep(100 * time.Millisecond)
		}
		d.expect(far.node, membership.Alive, "it is dialed before")
		if took := time.Since(began); took < 12*time.Second || took > 16*time.Second { // it is doubted at 12 to 14.5 s, by chance, and dialed if it does not speak for a tick
			t.Errorf("dialed after %v of silence, want 12 to 16 s", took)
		}
	})
}
