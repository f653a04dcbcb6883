package sim_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// What the papers leave out: networks that fail in every way, with the real parameters
// and the real clock, and clusters that must be whole again afterwards.

func healingScenarios() []scenario {
	return []scenario{
		{name: "hpv-11", about: "invariants after every event, every message through the codec, under every fault", nodes: 100, big: 1000, raced: 30, run: checkInvariants},
		{name: "churn", about: "nodes die, restart and join all the time; then the cluster is whole", nodes: 300, big: 10000, run: checkChurn},
		{name: "storm", about: "everybody joins through one contact at the same moment", nodes: 300, big: 10000, run: checkStorm},
		{name: "partition", about: "a partition of 30 minutes heals within 30 s, whatever its sides", nodes: 200, big: 5000, run: checkRejoining},
		{name: "outage", about: "nobody hears anybody for five minutes; whole within 30 s", nodes: 200, big: 5000, run: checkOutage},
		{name: "restarts", about: "everybody restarts while nobody hears anybody, and the seed is gone; whole within 30 s", nodes: 200, big: 5000, run: checkRestarts},
		{name: "evictions", about: "neighbours change all the time, and nobody takes it for a death", nodes: 200, run: checkEvictions},
	}
}

// numbers is a Book in which the record of a peer is its number.
type numbers struct{}

func (numbers) Record(p overlay.Peer) []byte { return binary.BigEndian.AppendUint32(nil, uint32(p)) }

func (numbers) Peer(record []byte) (overlay.Peer, bool) {
	return overlay.Peer(binary.BigEndian.Uint32(record)), len(record) == 4
}

func throughCodec(m *hyparview.Message) error {
	got, err := hyparview.Decode(hyparview.Encode(nil, m, numbers{}), numbers{})
	if err != nil || got != *m {
		return fmt.Errorf("%+v became %+v, %w", *m, got, err)
	}
	return nil
}

// natural is production: its parameters, its detection, latencies of a wide network.
func natural(r round, change func(*sim.Config[hyparview.Message])) *cluster {
	s := setup{hv: hyparview.Default(), nodes: r.nodes, seed: r.seed, idle: 3 * time.Second}
	return s.world(func(c *sim.Config[hyparview.Message]) {
		c.Latency, c.Dial = sim.Pairwise(time.Millisecond, 80*time.Millisecond), 5*time.Second
		if change != nil {
			change(c)
		}
	})
}

// startAll has everybody join through the first at the same moment.
func startAll(w *cluster) {
	w.StartAll()
	for p := overlay.Peer(2); int(p) <= w.Len(); p++ {
		join(w, p, 1)
	}
}

// inOnePiece says what is missing until the living are one cluster, everybody with
// neighbours, all of them mutual and alive.
func inOnePiece(w *cluster) error {
	g := w.Graph()
	n := len(g.Nodes())
	before := g.OneSidedLinks()
	if len(before) > 0 { // still on their way, or wrong?
		w.RunFor(2 * time.Second)
		g = w.Graph()
		before = slices.DeleteFunc(before, func(l [2]overlay.Peer) bool { return !slices.Contains(g.OneSidedLinks(), l) })
	}
	switch degrees := g.Degrees(); {
	case len(g.Components()) != 1:
		return fmt.Errorf("parts of %v nodes", g.Components())
	case len(before) != 0:
		return fmt.Errorf("one-sided for two seconds: %v", before)
	case n > 10 && degrees[0]+degrees[1]+degrees[2] > n/20:
		return fmt.Errorf("degrees %v", degrees)
	}
	return nil
}

// wholeWithin runs until the cluster is whole and says how long that took.
func wholeWithin(t *testing.T, w *cluster, limit overlay.Time) overlay.Time {
	t.Helper()
	start := w.Now()
	for {
		err := inOnePiece(w)
		if err == nil {
			return w.Now() - start
		}
		if w.Now()-start >= limit {
			t.Errorf("after %v: %v", limit, err)
			return limit
		}
		w.RunFor(500 * time.Millisecond)
	}
}

func checkInvariants(t *testing.T, r round) {
	w := natural(r, func(c *sim.Config[hyparview.Message]) {
		c.Check, c.Codec = true, throughCodec
		c.Loss, c.Duplicate, c.Reorder = 0.02, 0.05, 0.1
		// Some are told to join a node that is dead, and know no other.
		c.Contacts = func(overlay.Peer) []overlay.Peer { return []overlay.Peer{1, 2, 3} }
	})
	startAll(w)
	w.RunFor(20 * time.Second)
	rng := rand.New(rand.NewPCG(r.seed, 11))
	for range 120 {
		harm(w, rng)
		w.RunFor(time.Duration(rng.IntN(2000)) * time.Millisecond)
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
	}
	w.Heal()
	reunite(w)
	wholeWithin(t, w, time.Minute)
	w.RunFor(2 * time.Minute)
	if err := inOnePiece(w); err != nil || w.Err() != nil {
		t.Errorf("afterwards: %v, %v", err, w.Err())
	}
}

// reunite starts who is dead. Everybody is told whom there seems to be no path to, as
// liveness tells it in production: nodes that began anew with each other for contacts
// are an island that neither they nor the others can know of from their views.
func reunite(w *cluster) {
	if len(w.Living()) == 0 {
		w.Start(1)
	}
	old := w.Living()
	for p := overlay.Peer(1); int(p) <= w.Len(); p++ {
		if !w.Up(p) {
			w.Start(p)
			join(w, p, old[int(p)%len(old)])
		}
	}
	w.RunFor(10 * time.Second)
	for _, p := range w.Graph().Unreached(1) {
		w.Command(1, overlay.Command{Op: overlay.OpReach, Peers: []overlay.Peer{p}})
	}
}

// harm does one thing out of all that can happen.
func harm(w *cluster, rng *rand.Rand) {
	a, b := overlay.Peer(1+rng.IntN(w.Len())), overlay.Peer(1+rng.IntN(w.Len()))
	switch rng.IntN(10) {
	case 0:
		w.Kill(a)
	case 1, 2:
		w.Restart(a)
		join(w, a, b)
	case 3:
		w.Stop(a)
	case 4:
		w.Stall(a, time.Duration(rng.IntN(20))*time.Second)
	case 5:
		w.Cut(a, b)
	case 6:
		w.Lose(a, rng.Float64(), rng.Float64())
	case 7:
		w.Partition(func(p overlay.Peer) uint32 { return uint32(p) % 2 })
	case 8:
		w.Heal()
	case 9:
		w.Kill(a)
		w.Skew(a, time.Duration(rng.IntN(7200)-3600)*time.Second)
		w.Restart(a)
		join(w, a, b)
	}
}

func checkChurn(t *testing.T, r round) {
	w := natural(r, nil)
	startAll(w)
	w.RunFor(30 * time.Second)
	rng := rand.New(rand.NewPCG(r.seed, 12))
	for range 120 {
		for range max(1, r.nodes/200) {
			p := overlay.Peer(1 + rng.IntN(w.Len()))
			if w.Up(p) {
				w.Kill(p)
			} else {
				w.Start(p)
				living := w.Living()
				join(w, p, living[rng.IntN(len(living))])
			}
		}
		w.RunFor(time.Second)
		if c := w.Graph().Connectivity(); c < 0.95 {
			t.Errorf("at %v: %.3f of the nodes hang together", w.Now(), c)
		}
	}
	wholeWithin(t, w, 30*time.Second)
}

func checkStorm(t *testing.T, r round) {
	w := natural(r, nil)
	startAll(w)
	took := wholeWithin(t, w, 30*time.Second)
	t.Logf("whole after %v, %d steps", took, w.Steps())
}

func checkRejoining(t *testing.T, r round) {
	for name, group := range map[string]func(overlay.Peer) uint32{
		"halves":   func(p overlay.Peer) uint32 { return uint32(p) % 2 },
		"70/30":    func(p overlay.Peer) uint32 { return min(uint32(p)%10/7, 1) },
		"one":      func(p overlay.Peer) uint32 { return min(uint32(p)/uint32(r.nodes), 1) },
		"two":      func(p overlay.Peer) uint32 { return min(uint32(p)/uint32(r.nodes-1), 1) },
		"the seed": func(p overlay.Peer) uint32 { return min(uint32(p)-1, 1) },
		"tenths":   func(p overlay.Peer) uint32 { return uint32(p) % 10 },
	} {
		t.Run(name, func(t *testing.T) {
			w := natural(r, nil)
			startAll(w)
			w.RunFor(time.Minute)
			w.Partition(group)
			w.RunFor(30 * time.Minute)
			w.Heal()
			took := wholeWithin(t, w, 30*time.Second)
			t.Logf("whole after %v", took)
		})
	}
}

func checkOutage(t *testing.T, r round) {
	w := natural(r, nil)
	startAll(w)
	w.RunFor(time.Minute)
	w.Partition(func(p overlay.Peer) uint32 { return uint32(p) })
	w.RunFor(5 * time.Minute)
	w.Heal()
	took := wholeWithin(t, w, 30*time.Second)
	t.Logf("whole after %v", took)
}

// checkRestarts: hosts keep on disk whom a node knew, and give it that as contacts.
func checkRestarts(t *testing.T, r round) {
	w := natural(r, nil)
	startAll(w)
	w.RunFor(time.Minute)
	w.Partition(func(p overlay.Peer) uint32 { return uint32(p) })
	for p := overlay.Peer(1); int(p) <= w.Len(); p++ {
		v := w.Node(p).(sim.Viewer)
		known := v.Passive(v.Active(nil))
		w.RunFor(time.Duration(w.RNG().IntN(1000)) * time.Millisecond)
		if w.Restart(p); p == 1 {
			w.Kill(p) // the seed of all, for good
		}
		w.Command(p, overlay.Command{Op: overlay.OpContacts, Peers: known})
	}
	w.RunFor(3 * time.Minute)
	w.Heal()
	took := wholeWithin(t, w, 30*time.Second)
	t.Logf("whole after %v", took)
}

func checkEvictions(t *testing.T, r round) {
	down := map[overlay.Reason]int{}
	w := natural(r, func(c *sim.Config[hyparview.Message]) {
		c.Observe = func(_ overlay.Time, _ overlay.Peer, e *overlay.Event) {
			if e.Kind == overlay.PeerDown {
				down[e.Reason]++
			}
		}
	})
	startAll(w)
	w.RunFor(20 * time.Second)
	rng := rand.New(rand.NewPCG(r.seed, 13))
	for range 600 {
		join(w, overlay.Peer(1+rng.IntN(w.Len())), overlay.Peer(1+rng.IntN(w.Len())))
		w.RunFor(200 * time.Millisecond)
	}
	wholeWithin(t, w, 30*time.Second)
	for reason, n := range down {
		if overlay.Evidence(reason) {
			t.Errorf("%d neighbours down as %v, and nobody died", n, reason)
		}
	}
	if down[overlay.Dropped] < 1000 {
		t.Errorf("only %d evictions", down[overlay.Dropped])
	}
}
