package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/sim"
)

// digests lists worlds by name; each makes the number of one seed.
func digests() map[string]func(seed uint64) uint64 {
	return map[string]func(uint64) uint64{
		"hyparview-paper": func(seed uint64) uint64 {
			return paper(150, seed).grown(10, nil).Digest()
		},
		"hyparview-harmed": func(seed uint64) uint64 {
			w := natural(round{seed: seed, nodes: 50}, func(c *sim.Config[hyparview.Message]) { c.Loss, c.Duplicate, c.Reorder = 0.05, 0.05, 0.1 })
			startAll(w)
			rng := rand.New(rand.NewPCG(seed, 14))
			for range 60 {
				harm(w, rng)
				w.RunFor(time.Second)
			}
			return w.Digest()
		},
		"whole": func(seed uint64) uint64 {
			w := admit(round{seed: seed, nodes: 30}, nil)
			w.Kill(w.anyone())
			w.RunFor(20 * time.Second)
			return w.Digest()
		},
		"gossip": func(seed uint64) uint64 {
			w, _ := line(20, sim.Config[rumour]{Seed: seed, Latency: sim.Uniform(1, time.Second)})
			say(w, 3, 9)
			return w.Digest()
		},
	}
}

// TestDigests: the same happens on every machine, today as yesterday. If you changed a
// protocol or the simulator, that is the reason, and BARREL_UPDATE=1 writes what is new.
// If you did not, something depends on the order of a map, on time, or on a global.
func TestDigests(t *testing.T) {
	const file = "testdata/digests.txt"
	var lines strings.Builder
	for _, name := range []string{"gossip", "hyparview-harmed", "hyparview-paper", "whole"} {
		for seed := range uint64(3) {
			run := digests()[name]
			first := run(seed + 1)
			if again := run(seed + 1); again != first {
				t.Errorf("%s: seed %d: two runs differ", name, seed+1)
			}
			fmt.Fprintf(&lines, "%-18s %d %016x\n", name, seed+1, first)
		}
	}
	if os.Getenv("BARREL_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines.String(); got != string(want) {
		t.Errorf("%s says\n%s, this came:\n%s", file, want, got)
	}
}

// A fork goes the way of the world it is from, whatever either does.
func TestForkGoesOn(t *testing.T) {
	w := paper(100, 5).grown(3, nil)
	f := w.Fork(cloneMember, sim.Config[hyparview.Message]{Idle: notice})
	g := w.Fork(cloneMember, sim.Config[hyparview.Message]{Idle: notice})
	for _, one := range []*cluster{g, w, f} {
		one.Kill(7)
		one.RunFor(100 * time.Hour)
	}
	if w.Digest() != f.Digest() || w.Digest() != g.Digest() {
		t.Errorf("%x, %x, %x", w.Digest(), f.Digest(), g.Digest())
	}
}
