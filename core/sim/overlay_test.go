package sim_test

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// The experiments of the papers with nothing but membership: an overlay is grown as
// they grow it, and broadcasts are floods along the active views.

type cluster = sim.World[hyparview.Message]

// setup is one configuration of an experiment.
type setup struct {
	name  string
	hv    hyparview.Config
	nodes int
	seed  uint64
	idle  overlay.Time // until a dead neighbour is noticed; Never: by a send only
}

const (
	spacing = time.Second // of two broadcasts after a crash
	notice  = 500 * time.Millisecond
)

func paper(nodes int, seed uint64) setup {
	return setup{name: "paper", hv: hyparview.Paper(), nodes: nodes, seed: seed, idle: notice}
}

// barrel is what production uses, with cycles as long as those of paper: broadcasts
// after a crash come before the next one.
func barrel(nodes int, seed uint64) setup {
	hv := hyparview.Default()
	hv.Shuffle, hv.RetryMax, hv.MaxAge = hyparview.Paper().Shuffle, hyparview.Paper().RetryMax, 0
	return setup{name: "barrel", hv: hv, nodes: nodes, seed: seed, idle: notice}
}

func (s setup) world(change func(*sim.Config[hyparview.Message])) *cluster {
	cfg := sim.Config[hyparview.Message]{
		Seed: s.seed, Nodes: s.nodes, Idle: s.idle,
		New: func(b sim.Boot) sim.Node[hyparview.Message] { return hyparview.New(b.Self, b.Inc, s.hv, b.RNG) },
	}
	if change != nil {
		change(&cfg)
	}
	return sim.New(cfg)
}

// grown is a world in which everybody has joined through the first node, one by one,
// and then so many cycles have passed.
func (s setup) grown(cycles int, change func(*sim.Config[hyparview.Message])) *cluster {
	w := s.world(change)
	for p := overlay.Peer(1); int(p) <= s.nodes; p++ {
		w.Start(p)
		if p > 1 {
			join(w, p, 1)
			w.RunFor(50 * time.Millisecond)
		}
	}
	w.RunFor(time.Duration(cycles) * s.hv.Shuffle)
	return w
}

func join(w *cluster, p, contact overlay.Peer) {
	w.Command(p, overlay.Command{Op: overlay.OpJoin, Peer: contact})
}

// chance is for choices of the experiment, which must not change the world's.
func (s setup) chance() *rand.Rand { return rand.New(rand.NewPCG(s.seed, 0xe)) }

// crash kills that percentage of the nodes at once.
func crash(w *cluster, rng *rand.Rand, percent int) {
	living := w.Living()
	rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	for _, p := range living[:len(living)*percent/100] {
		w.Kill(p)
	}
}

// floodFrom floods from a random node and tells the senders of dead links, if nothing
// else will.
func (s setup) floodFrom(w *cluster, g *sim.Graph, rng *rand.Rand) sim.Flooded {
	f := g.Flood(g.Nodes()[rng.IntN(len(g.Nodes()))])
	if s.idle == overlay.Never {
		for _, link := range f.Wasted {
			w.Sever(link[0], link[1])
		}
	}
	return f
}

// stable is a world after 50 cycles. It is grown once for all experiments that begin
// with it; each gets its own copy.
func (s setup) stable(grown **cluster) *cluster {
	if *grown == nil {
		*grown = s.grown(50, nil)
	}
	return (*grown).Fork(cloneMember, sim.Config[hyparview.Message]{Idle: s.idle})
}

func cloneMember(n sim.Node[hyparview.Message], rng *rand.Rand) sim.Node[hyparview.Message] {
	return n.(*hyparview.Machine).Clone(rng)
}

// shape is what a stable overlay looks like.
type shape struct {
	full, empty          float64 // share of nodes with a full, with no active view
	components, oneSided int
	path, clustering     float64
	reliability, lastHop float64 // the least and the mean of the floods
}

func (s setup) shape(from **cluster, floods int) shape {
	w, rng := s.stable(from), s.chance()
	g := w.Graph()
	degrees, n := g.Degrees(), float64(s.nodes)
	mean, _ := g.ShortestPath(200)
	sh := shape{
		full: float64(degrees[s.hv.Active]) / n, empty: float64(degrees[0]) / n,
		components: len(g.Components()), oneSided: g.OneSided(), path: mean, clustering: g.Clustering(), reliability: 1,
	}
	for range floods {
		f := g.Flood(g.Nodes()[rng.IntN(len(g.Nodes()))])
		sh.reliability = min(sh.reliability, f.Reliability())
		sh.lastHop += float64(f.LastHop) / float64(floods)
	}
	return sh
}

// afterCrash is the reliability in percent of each of so many broadcasts after a crash.
func (s setup) afterCrash(from **cluster, percent, messages int) []float64 {
	w, rng := s.stable(from), s.chance()
	crash(w, rng, percent)
	var got []float64
	var g *sim.Graph
	looked := ^uint64(0)
	for range messages {
		if w.Steps() != looked { // else nothing has changed
			g, looked = w.Graph(), w.Steps()
		}
		f := s.floodFrom(w, g, rng)
		got = append(got, 100*f.Reliability())
		w.RunFor(spacing)
	}
	return got
}

// healing is how many cycles after a crash the mean of ten broadcasts is back at a
// reliability, and what it is after each.
func (s setup) healing(from **cluster, percent, most int, enough float64) (cycles int, means []float64) {
	w, rng := s.stable(from), s.chance()
	crash(w, rng, percent)
	for cycles < most {
		cycles++
		w.RunFor(s.hv.Shuffle)
		sum, g := 0.0, w.Graph()
		for range 10 {
			f := s.floodFrom(w, g, rng)
			sum += 10 * f.Reliability()
		}
		means = append(means, sum)
		if sum >= enough {
			return cycles, means
		}
	}
	return most + 1, means
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}
