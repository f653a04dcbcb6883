package sim_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// published is what the paper measured, in percent, with 10,000 nodes (figures 2 to 4).
type published struct {
	killed                      int
	hyparview, cyclonAcked, cyc string
	cycles                      string
	messages                    string // the first ones, of HyParView
}

func figures() []published {
	return []published{
		{10, "100", "98.4", "97.4", "1", ""}, {20, "100", "98.4", "96.6", "1", ""}, {30, "100", "98.4", "92.6", "1", ""},
		{40, "100", "98.3", "86.0", "1", "100, 100, 100"}, {50, "100", "98.1", "73.4", "1", ""},
		{60, "99.97", "98.1", "50.2", "1", "55.1, 99.4, 99.97"}, {70, "99.94", "96.9", "11.8", "2", "13.0, 96.5, 99.9"},
		{80, "99.91", "46.4", "0.3", "2", "1.6, 81.5, 98.1"}, {90, "99.68", "0.2", "0.2", "4", ""},
		{95, "90.9", "0.3", "0.3", "", "0.3, 0.5, 0.4, 23.0"},
	}
}

func hyparviewTables(r round) string {
	asPaper, asBarrel := paper(r.nodes, r.seed), barrel(r.nodes, r.seed)
	fromPaper, fromBarrel := new(*cluster), new(*cluster)
	shortly, fromShortly := asBarrel, new(*cluster) // with cycles of a minute
	shortly.hv.Shuffle = time.Minute
	var text strings.Builder
	fmt.Fprintf(&text, "%d nodes, seed %d. `paper` is this code with the published parameters, `barrel` with ours.\n", r.nodes, r.seed)
	fmt.Fprintf(&text, "\nThe overlay after 50 cycles:\n\n%s", shapeTable(asPaper.shape(fromPaper, 100), asBarrel.shape(fromBarrel, 100)))
	crash := newTable("killed %", "published: HyParView", "CyclonAcked", "Cyclon", "paper", "barrel", "our Cyclon")
	first := newTable("killed %", "published: messages 1, 2, 3 ...", "paper", "barrel")
	heal := newTable("killed %", "published: cycles to heal", "paper", "barrel")
	for _, f := range figures() {
		p, b := asPaper.afterCrash(fromPaper, f.killed, 1000), asBarrel.afterCrash(fromBarrel, f.killed, 1000)
		killed := strconv.Itoa(f.killed)
		crash.row(killed, f.hyparview, f.cyclonAcked, f.cyc, percent(mean(p)), percent(mean(b)), percent(crashedCyclon(r, f.killed)))
		if f.messages != "" {
			first.row(killed, f.messages, firstOf(p), firstOf(b))
		}
		if f.cycles != "" {
			heal.row(killed, f.cycles, asPaper.cycles(fromPaper, f.killed), shortly.cycles(fromShortly, f.killed))
		}
	}
	fmt.Fprintf(&text, "\nMean reliability in %% of 1,000 broadcasts after a crash, before the next cycle:\n\n%s", crash)
	fmt.Fprintf(&text, "\nThe first of them:\n\n%s", first)
	fmt.Fprintf(&text, "\nCycles until broadcasts reach everybody again (with the part that is reached, if not all):\n\n%s", heal)
	fmt.Fprintf(&text, "\nThe same crash, if only a send that fails tells of it (%d broadcasts), which shows\nthat detection at every neighbour is part of the protocol:\n\n%s", ablated(r), ablationTable(r))
	return text.String()
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func firstOf(values []float64) string {
	var words []string
	for _, v := range values[:4] {
		words = append(words, strconv.FormatFloat(v, 'f', 1, 64))
	}
	return strings.Join(words, ", ")
}

func shapeTable(p, b shape) *table {
	t := newTable("", "published", "paper", "barrel")
	number := func(name, published, format string, of func(shape) float64) {
		t.row(name, published, fmt.Sprintf(format, of(p)), fmt.Sprintf(format, of(b)))
	}
	number("nodes with a full active view, %", "99.8", "%.2f", func(s shape) float64 { return 100 * s.full })
	number("one-sided links", "0", "%.0f", func(s shape) float64 { return float64(s.oneSided) })
	number("components", "1", "%.0f", func(s shape) float64 { return float64(s.components) })
	number("average shortest path", "6.385", "%.3f", func(s shape) float64 { return s.path })
	number("clustering coefficient", "0.00092", "%.5f", func(s shape) float64 { return s.clustering })
	number("flood: least reliability, %", "100", "%.2f", func(s shape) float64 { return 100 * s.reliability })
	number("flood: last hop", "9.0", "%.2f", func(s shape) float64 { return s.lastHop })
	return t
}

// cycles is how long it took to heal, in words.
func (s setup) cycles(from **cluster, killed int) string {
	const most = 5
	n, means := s.healing(from, killed, most, 100)
	if n <= most {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s %% after %d", percent(means[most-1]), most)
}

func crashedCyclon(r round, killed int) float64 {
	rng := rand.New(rand.NewPCG(r.seed, 10))
	w := cyclons(r.seed, r.nodes)
	living := w.Living()
	rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	for _, p := range living[:len(living)*killed/100] {
		w.Kill(p)
	}
	return gossiped(w, rng, 4, 200)
}

func ablated(r round) int { return min(1000, r.nodes/10) }

func ablationTable(r round) *table {
	s, from := paper(r.nodes, r.seed), new(*cluster)
	s.idle = overlay.Never
	t := newTable("killed %", "with detection", "on send only")
	for _, killed := range []int{40, 60, 80, 90, 95} {
		with := paper(r.nodes, r.seed)
		t.row(strconv.Itoa(killed), percent(mean(with.afterCrash(from, killed, ablated(r)))), percent(mean(s.afterCrash(from, killed, ablated(r)))))
	}
	return t
}
