package sim_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// watch collects the ends of links that a world reports, as node and moment.
type ended struct {
	at     overlay.Peer
	other  overlay.Peer
	reason overlay.Reason
	when   overlay.Time
}

func watched(nodes int, cfg sim.Config[rumour]) (*sim.World[rumour], *[]ended) {
	var all []ended
	cfg.Nodes = nodes
	cfg.New = func(b sim.Boot) sim.Node[rumour] { return &gossip{self: b.Self} }
	cfg.Observe = func(now overlay.Time, at overlay.Peer, e *overlay.Event) {
		if e.Kind == overlay.PeerDown {
			all = append(all, ended{at, e.Peer, e.Reason, now})
		}
	}
	w := sim.New(cfg)
	w.StartAll()
	for p := 2; p <= nodes; p++ {
		w.Command(overlay.Peer(p), overlay.Command{Op: overlay.OpJoin, Peer: overlay.Peer(p - 1)})
	}
	w.Run(time.Second)
	return w, &all
}

func idle3s() sim.Config[rumour] { return sim.Config[rumour]{Seed: 1, Idle: 3 * time.Second} }

func TestHowLinksEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		harm func(w *sim.World[rumour])
		want []ended
	}{
		{"killed: silence", func(w *sim.World[rumour]) { w.Kill(1) },
			[]ended{{2, 1, overlay.Silent, 4 * time.Second}}},
		{"stopped: a word", func(w *sim.World[rumour]) { w.Stop(1) },
			[]ended{{2, 1, overlay.Stopping, 1001 * time.Millisecond}}},
		{"cut one way: the deaf end first", func(w *sim.World[rumour]) { w.Cut(1, 2) },
			[]ended{{2, 1, overlay.Silent, 4 * time.Second}, {1, 2, overlay.Silent, 7 * time.Second}}},
		{"partition: both", func(w *sim.World[rumour]) { w.Partition(func(p overlay.Peer) uint32 { return uint32(p) }) },
			[]ended{{1, 2, overlay.Silent, 4 * time.Second}, {2, 1, overlay.Silent, 4 * time.Second}}},
		{"short stall: nothing", func(w *sim.World[rumour]) { w.Stall(1, 2*time.Second) }, nil},
		{"long stall: the other, then itself when it wakes", func(w *sim.World[rumour]) { w.Stall(1, 30*time.Second) },
			[]ended{{2, 1, overlay.Silent, 4 * time.Second}, {1, 2, overlay.Silent, 31 * time.Second}}},
		{"short cut: nothing", func(w *sim.World[rumour]) {
			w.Cut(1, 2)
			w.At(w.Now()+2*time.Second, func() { w.Mend(1, 2) })
		}, nil},
		{"all lost: as cut", func(w *sim.World[rumour]) { w.Lose(1, 1, 1) },
			[]ended{{1, 2, overlay.Silent, 4 * time.Second}, {2, 1, overlay.Silent, 4 * time.Second}}},
		{"a little lost: nothing", func(w *sim.World[rumour]) { w.Lose(1, 0.1, 0.1) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, got := watched(2, idle3s())
			test.harm(w)
			w.Run(time.Minute)
			sorted := func(a, b ended) int { return int(a.when-b.when)*2 + int(a.at) - int(b.at) }
			slices.SortFunc(*got, sorted)
			if !slices.Equal(*got, test.want) {
				t.Errorf("got %v, want %v", *got, test.want)
			}
		})
	}
}

func TestRestartIsNoticedWithinASecond(t *testing.T) {
	w, got := watched(2, idle3s())
	w.Restart(1)
	w.Run(time.Minute)
	if len(*got) != 1 || (*got)[0].when > 2100*time.Millisecond || w.Incarnation(1) != 2 {
		t.Errorf("%v, life %d", *got, w.Incarnation(1))
	}
}

// What is sent over a link that is cut for a moment comes when it is mended, in order.
func TestCutDelays(t *testing.T) {
	w, seen := line(2, idle3s())
	w.Cut(1, 2)
	for key := range uint64(5) {
		w.Command(1, overlay.Command{Op: overlay.OpBroadcast, Key: key + 1})
	}
	w.RunFor(2 * time.Second)
	if seen.Has(1, 2) {
		t.Fatal("heard through a cut")
	}
	w.Mend(1, 2)
	w.RunFor(time.Second)
	if got := w.Node(2).(*gossip).heard; !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("heard %v", got)
	}
}

// Loss and a latency that varies do not change the order on a link.
func TestLinksKeepOrder(t *testing.T) {
	w, _ := line(2, sim.Config[rumour]{Seed: 3, Loss: 0.3, Idle: overlay.Never, Latency: sim.Uniform(time.Millisecond, 50*time.Millisecond)})
	var want []uint64
	for key := range uint64(200) {
		want = append(want, key+1)
		w.Command(1, overlay.Command{Op: overlay.OpBroadcast, Key: key + 1})
	}
	w.RunFor(time.Minute)
	if got := w.Node(2).(*gossip).heard; !slices.Equal(got, want) {
		t.Errorf("heard %d, not in order", len(got))
	}
}

func TestStalledInputsWait(t *testing.T) {
	w, seen := line(3, idle3s())
	w.Stall(2, 2*time.Second)
	w.Command(1, overlay.Command{Op: overlay.OpBroadcast, Key: 7})
	w.RunFor(time.Second)
	if seen.Has(7, 2) {
		t.Fatal("a frozen node heard something")
	}
	w.RunFor(2 * time.Second)
	if b := seen.Of(7); b.Delivered != 3 {
		t.Errorf("%+v", b)
	}
}

// Timers fire by the clock of the node, and not in its next life.
func TestTimers(t *testing.T) {
	w, _ := line(2, idle3s())
	w.Skew(1, time.Hour)
	tick := overlay.Command{Op: overlay.OpTick}
	w.Command(1, tick)
	w.Command(2, tick)
	w.RunFor(500 * time.Millisecond)
	w.Restart(2)
	w.RunFor(time.Second)
	if one, two := w.Node(1).(*gossip).ticks, w.Node(2).(*gossip).ticks; one != 1 || two != 0 {
		t.Errorf("%d and %d ticks", one, two)
	}
}

func TestQueueKeepsOrder(t *testing.T) {
	w, _ := line(1, sim.Config[rumour]{Seed: 1})
	rng, start := rand.New(rand.NewPCG(1, 2)), w.Now()
	var got, want []int
	for i := range 5000 {
		at := rng.IntN(100)
		want = append(want, at*10000+i)
		w.At(start+overlay.Time(at), func() { got = append(got, at*10000+i) })
	}
	slices.Sort(want)
	w.RunFor(time.Second)
	if !slices.Equal(got, want) {
		t.Error("not in order of time and of being asked for")
	}
}
