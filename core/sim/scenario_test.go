package sim_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/sim"
)

// scenario is one check, run for several seeds.
type scenario struct {
	name  string
	about string
	nodes int  // what it is run with on every push
	big   int  // what it is run with by make sim-long; 0: as on every push
	raced int  // with the race detector; 0: a tenth of nodes, at least 50
	seeds int  // on every push; 0: 3
	twin  int  // a run more, with so few nodes that invariants are checked after every event; 0: none
	alone bool // it measures this process: no other runs meanwhile
	heavy bool // every node holds what all have: of the large ones one at a time
	run   func(t *testing.T, r round)
}

// round is one run of a scenario.
type round struct {
	seed  uint64
	nodes int
	long  bool
}

// scenarios lists all there are.
func scenarios() []scenario {
	return slices.Concat(hyparviewScenarios(), healingScenarios(), broadcastScenarios(), livenessScenarios(), hostileScenarios(), youngScenarios(), registryScenarios())
}

const longSeeds = 50

// TestMain trades memory for time: worlds make much garbage, and what lives is small
// unless they are large.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" && os.Getenv("LONG") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(4 << 30)
	}
	os.Exit(m.Run())
}

// TestScenarios runs every scenario, on as many processors as there are: each round has
// a world of its own. The environment narrows it down, as make sim does:
//
//	SCENARIO=hpv-5 SEED=7 NODES=10000 go test ./core/sim -run '^TestScenarios$'
//	LONG=1                            50 seeds and the large sizes
func TestScenarios(t *testing.T) {
	only, long := os.Getenv("SCENARIO"), os.Getenv("LONG") != ""
	seed, nodes := number(t, "SEED"), number(t, "NODES")
	found := false
	for _, s := range scenarios() {
		if only != "" && only != s.name {
			continue
		}
		found = true
		rounds := s.rounds(uint64(seed), nodes, long)
		t.Run(s.name, func(t *testing.T) {
			if !long && !s.alone {
				t.Parallel() // in a long run one scenario comes after the other
			}
			for _, r := range rounds {
				t.Run(fmt.Sprintf("seed%d", r.seed), func(t *testing.T) { s.round(t, r) })
			}
		})
	}
	if !found {
		for _, s := range scenarios() {
			t.Logf("%-12s %s", s.name, s.about)
		}
		t.Fatalf("no scenario %q", only)
	}
}

func (s scenario) round(t *testing.T, r round) {
	if !s.alone && !(r.long && s.heavy) {
		t.Parallel()
	}
	start := time.Now()
	s.run(t, r)
	if t.Failed() {
		t.Logf("%s: %s\nreplay: %s", s.name, s.about, sim.Replay(s.name, r.seed, r.nodes))
	}
	progress("%-12s seed %2d  %6d nodes  %8s  failed: %t", s.name, r.seed, r.nodes, time.Since(start).Round(time.Millisecond), t.Failed())
}

// progress tells whoever waits for hours how far it is. It needs PROGRESS, as the long
// targets of make set it, and a test that runs in this folder: go buffers others.
func progress(format string, args ...any) {
	if os.Getenv("PROGRESS") != "" {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}
}

func (s scenario) rounds(seed uint64, nodes int, long bool) []round {
	if nodes == 0 {
		nodes = s.size(long)
	}
	if seed != 0 {
		return []round{{seed, nodes, long}}
	}
	count := s.seeds
	switch {
	case long:
		count = longSeeds
	case raceDetector:
		count = 1
	case count == 0:
		count = 3
	}
	var all []round
	for i := range count {
		all = append(all, round{uint64(i + 1), nodes, long})
	}
	if s.twin > 0 && !raceDetector {
		all = append(all, round{uint64(count + 1), s.twin, false})
	}
	return all
}

func (s scenario) size(long bool) int {
	switch {
	case long && s.big > 0:
		return s.big
	case raceDetector && s.raced > 0:
		return s.raced
	case raceDetector:
		return max(s.nodes/10, 50)
	}
	return s.nodes
}

func number(t *testing.T, variable string) int {
	text := os.Getenv(variable)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number above zero", variable, text)
	}
	return n
}
