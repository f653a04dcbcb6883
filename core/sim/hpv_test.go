package sim_test

import (
	"math"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func hyparviewScenarios() []scenario {
	return []scenario{
		{name: "hpv-1", about: "shape of the overlay after 50 cycles, and floods over it", nodes: 1000, big: 10000, run: checkShape},
		{name: "hpv-1-large", about: "the same with ten thousand", nodes: 10000, big: 10000, raced: 200, seeds: 1, run: checkShape},
		{name: "hpv-5", about: "1,000 broadcasts after a crash, as published", nodes: 1000, big: 10000, raced: 200, run: checkPaperCrash},
		{name: "hpv-5-mean", about: "the same after the crash of 90 and 95 %, on average over ten clusters", nodes: 1000, big: 10000, raced: 500, seeds: 1, run: checkMeanCrash},
		{name: "hpv-6", about: "1,000 broadcasts after a crash, with our parameters", nodes: 1000, big: 10000, raced: 200, run: checkBarrelCrash},
		{name: "hpv-8", about: "cycles until broadcasts reach everybody again", nodes: 1000, big: 10000, raced: 200, run: checkHealing},
		{name: "hpv-9", about: "who notices a crash by a send only fails: the simulator can tell", nodes: 1000, big: 10000, raced: 500, run: checkAblation},
		{name: "hpv-10", about: "the control: Cyclon has its published weaknesses here too", nodes: 2000, big: 10000, raced: 1000, seeds: 1, run: checkCyclon},
		{name: "hpv-12", about: "scale, and what a node costs", nodes: 2000, big: 50000, seeds: 1, alone: true, run: checkScale},
		{name: "hpv-12-large", about: "the same, with 100,000 in make sim-long", nodes: 1000, big: 100000, seeds: 1, alone: true, run: checkScale},
		{name: "hpv-13", about: "a storm of joins through one contact", nodes: 100, big: 1000, run: checkJoinStorm},
	}
}

// large reports whether the published numbers hold as they are: they are of 10,000
// nodes. With fewer paths are shorter, and one node is a larger share.
func (r round) large() bool { return r.nodes >= 10000 }

// HPV-1 to HPV-4.
func checkShape(t *testing.T, r round) {
	for _, s := range []setup{paper(r.nodes, r.seed), barrel(r.nodes, r.seed)} {
		sh := s.shape(new(*cluster), 100)
		n := float64(r.nodes)
		if sh.full < 0.997-2/n || sh.empty > 0 || sh.components != 1 || sh.oneSided != 0 {
			t.Errorf("%s: HPV-1: %+v", s.name, sh)
		}
		if low, high := randomPath(r.nodes); sh.path < low || sh.path > high {
			t.Errorf("%s: HPV-2: mean path %.3f, want %.2f..%.2f", s.name, sh.path, low, high)
		}
		if sh.clustering > 10/n {
			t.Errorf("%s: HPV-3: clustering %.5f", s.name, sh.clustering)
		}
		if sh.reliability < 1 || sh.lastHop > 9.5 {
			t.Errorf("%s: HPV-4: reliability %.4f, last hop %.2f", s.name, sh.reliability, sh.lastHop)
		}
		if raceDetector {
			break
		}
	}
}

// randomPath is where the mean path of a random graph of degree 5 lies: of 10,000 nodes
// 6.25 to 6.50, of others about log(n)/log(4) off that.
func randomPath(nodes int) (low, high float64) {
	off := (math.Log(float64(nodes)) - math.Log(10000)) / math.Log(4)
	return 6.25 + off, 6.50 + off
}

// HPV-5 and HPV-7.
func checkPaperCrash(t *testing.T, r round) {
	s, from := paper(r.nodes, r.seed), new(*cluster)
	for _, percent := range r.levels() {
		got := s.afterCrash(from, percent, 1000)
		t.Logf("%d %% killed: %.2f %%, the first messages %.2f", percent, mean(got), got[:4])
		if least := paperLeast(percent, r.large()); mean(got) < least {
			t.Errorf("HPV-5: %d %% killed: %.2f %%, want %.1f", percent, mean(got), least)
		}
		second, third := leastAfter(percent)
		if got[1] < second || got[2] < third {
			t.Errorf("HPV-7: %d %% killed: %.2f, %.2f, %.2f", percent, got[0], got[1], got[2])
		}
	}
}

func (r round) levels() []int {
	switch {
	case r.nodes < 1000:
		return []int{40, 60} // fewer than a hundred survivors say nothing
	case r.long:
		return []int{10, 20, 30, 40, 50, 60, 70, 80, 90, 95}
	}
	return []int{40, 60, 80, 90, 95}
}

// HPV-5, the levels at which few enough survive that a cluster has its luck: which of
// them are isolated, and how many messages are sent by these.
func checkMeanCrash(t *testing.T, r round) {
	const clusters = 10
	sums := map[int]float64{}
	for i := range clusters {
		s, from := paper(r.nodes, clusters*r.seed+uint64(i)), new(*cluster)
		for _, percent := range []int{90, 95} {
			sums[percent] += mean(s.afterCrash(from, percent, 1000)) / clusters
		}
	}
	for percent, want := range map[int][2]float64{90: meanLeast(r, 99.3, 100, 97), 95: meanLeast(r, 89, 93, 70)} {
		got := sums[percent]
		t.Logf("%d %% killed: %.2f %% on average over %d clusters", percent, got, clusters)
		if got < want[0] || got > want[1] {
			t.Errorf("HPV-5: %d %% killed: %.2f %% on average, want %.1f to %.1f", percent, got, want[0], want[1])
		}
	}
}

// meanLeast is the bounds of the published size, or the lower one that clusters with
// fewer survivors have.
func meanLeast(r round, low, high, small float64) [2]float64 {
	if r.large() {
		return [2]float64{low, high}
	}
	return [2]float64{small, 100}
}

// paperLeast is the least mean of the messages in one cluster. A small one has so few
// survivors at 90 % and more that one or two isolated ones cost percents; of 10,000
// nodes ten seeds gave 98.8 to 99.9.
func paperLeast(percent int, large bool) float64 {
	switch {
	case percent <= 80:
		return 99.8
	case percent == 90 && large:
		return 98.5
	case percent == 90:
		return 95
	case large:
		return 87
	}
	return 70
}

func leastAfter(percent int) (second, third float64) {
	switch percent {
	case 60:
		return 99, 99.9
	case 70:
		return 96, 99.8
	case 80:
		return 80, 98
	}
	return 0, 0
}

// HPV-6.
func checkBarrelCrash(t *testing.T, r round) {
	s, from := barrel(r.nodes, r.seed), new(*cluster)
	sum, levels := 0.0, r.levels()
	for _, percent := range levels {
		got := mean(s.afterCrash(from, percent, 1000))
		sum += got
		if got < 99.7 {
			t.Errorf("HPV-6: %d %% killed: %.2f %%", percent, got)
		}
	}
	if average := sum / float64(len(levels)); average < 99.8 {
		t.Errorf("HPV-6: %.2f %% on average", average)
	}
}

// HPV-8.
func checkHealing(t *testing.T, r round) {
	levels := []int{60, 80}
	if r.long {
		levels = []int{10, 20, 30, 40, 50, 60, 70, 80}
	}
	s, from := paper(r.nodes, r.seed), new(*cluster)
	for _, percent := range levels {
		if cycles, means := s.healing(from, percent, 3, 100); cycles > 2 {
			t.Errorf("HPV-8: %d %% killed: %v after each cycle", percent, means)
		}
	}
	enough := 99.5
	if !r.large() {
		enough = 95
	}
	if _, means := s.healing(from, 90, 4, enough); means[len(means)-1] < enough {
		t.Errorf("HPV-8: paper, 90 %% killed: %v after each cycle", means)
	}
	b := barrel(r.nodes, r.seed)
	b.hv.Shuffle = time.Minute
	if cycles, means := b.healing(new(*cluster), 90, 3, 100); cycles > 2 {
		t.Errorf("HPV-8: barrel, 90 %% killed: %v after each cycle", means)
	}
}

// HPV-9. A broadcast shows so many senders that their links are dead, whatever the
// size: so as many broadcasts per node as in the large experiment.
func checkAblation(t *testing.T, r round) {
	s := paper(r.nodes, r.seed)
	s.idle = overlay.Never
	if got := mean(s.afterCrash(new(*cluster), 80, min(1000, r.nodes/10))); got > 60 {
		t.Errorf("HPV-9: %.2f %% without detection: something else repairs", got)
	}
}
