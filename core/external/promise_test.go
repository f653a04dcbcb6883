//go:build !race

package external

import (
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
)

// The race detector takes longer for our code than for that of the system, so what is
// compared here means nothing with it.

// A call costs at most 1.3 times what it costs with go-plugin alone. The two take turns,
// so that whatever else the machine does meets both.
func TestACallCostsLittleMoreThanABareOne(t *testing.T) {
	ours, theirs := lookups(t, benchFacade(t), startBare(t))
	var ratio float64
	for range 3 {
		if ratio = compare(ours, theirs, 3000); ratio <= 1.3 {
			t.Logf("%.2f times a bare call", ratio)
			return
		}
	}
	t.Errorf("a call costs %.2f times a bare one, at most 1.3 is promised", ratio)
}

// bareLaunch is how long go-plugin alone takes for a launch and a first call where nothing
// else is running. What it takes here at best says how fast the machine is.
const bareLaunch = 40 * time.Millisecond

// From nothing to a plugin that has started it takes at most 100 ms, on a machine that
// has the time.
func TestALaunchIsQuick(t *testing.T) {
	bare, ours := time.Hour, time.Hour
	for range 5 {
		began := time.Now()
		if _, err := startBare(t).Lookup(t.Context(), &discoveryv1.LookupRequest{Node: "a@h"}); err != nil {
			t.Fatal(err)
		}
		bare = min(bare, time.Since(began))
		began = time.Now()
		started(t, "good")
		ours = min(ours, time.Since(began))
		if ours <= time.Duration(max(1, float64(bare)/float64(bareLaunch))*float64(100*time.Millisecond)) {
			t.Logf("%v, and %v with go-plugin alone", ours, bare)
			return
		}
	}
	t.Errorf("launch to ready: %v, and %v with go-plugin alone; at most 100 ms is promised where that takes %v", ours, bare, bareLaunch)
}

// compare is how many times as long one thing takes as another, by the medians.
func compare(one, other func(), rounds int) float64 {
	timed := func(do func()) time.Duration {
		began := time.Now()
		do()
		return time.Since(began)
	}
	var a, b []time.Duration
	for range rounds {
		a, b = append(a, timed(one)), append(b, timed(other))
	}
	slices.Sort(a)
	slices.Sort(b)
	return float64(a[rounds/2]) / float64(b[rounds/2])
}
