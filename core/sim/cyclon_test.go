package sim_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// Cyclon is the control: a membership with known weaknesses and published numbers. If
// the simulator gives those, it may be believed when it praises another.
const (
	cyclonView    = 35
	cyclonShuffle = 14
	cyclonCycle   = time.Hour
)

type cyclon struct {
	self overlay.Peer
	rng  *rand.Rand
	view []contact
	sent []contact
}

type contact struct {
	peer overlay.Peer
	age  uint16
}

type exchange struct {
	answer bool
	count  uint8
	list   [cyclonShuffle]contact
}

func (e exchange) Size() int      { return 4 + 8*int(e.count) }
func (e exchange) Digest() uint64 { return sim.Mix(uint64(e.count), uint64(e.list[0].peer)) }

func (c *cyclon) Step(now overlay.Time, in *overlay.Input[exchange], out *overlay.Effects[exchange]) {
	switch in.Kind {
	case overlay.InCommand:
		c.wake(now+overlay.Time(c.rng.Int64N(int64(cyclonCycle))), out)
	case overlay.InTimer:
		c.wake(now+cyclonCycle, out)
		c.shuffle(out)
	case overlay.InMsg:
		got := in.Msg.list[:in.Msg.count]
		if in.Msg.answer {
			c.merge(got, c.sent)
			return
		}
		mine := c.some(cyclonShuffle)
		c.send(in.Peer, true, mine, out)
		c.merge(got, mine)
	}
}

func (c *cyclon) wake(at overlay.Time, out *overlay.Effects[exchange]) {
	out.Timers = append(out.Timers, overlay.Arm{At: at, Timer: overlay.Timer{Owner: overlay.Custom}})
}

// shuffle trades with the contact that is known the longest.
func (c *cyclon) shuffle(out *overlay.Effects[exchange]) {
	oldest := 0
	for i := range c.view {
		c.view[i].age++
		if c.view[i].age > c.view[oldest].age {
			oldest = i
		}
	}
	if len(c.view) == 0 {
		return
	}
	to := c.view[oldest].peer
	c.view = slices.Delete(c.view, oldest, oldest+1)
	c.sent = c.some(cyclonShuffle - 1)
	c.send(to, false, append(slices.Clone(c.sent), contact{peer: c.self}), out)
}

func (c *cyclon) some(n int) []contact {
	c.rng.Shuffle(len(c.view), func(i, j int) { c.view[i], c.view[j] = c.view[j], c.view[i] })
	return slices.Clone(c.view[:min(n, len(c.view))])
}

func (c *cyclon) send(to overlay.Peer, answer bool, list []contact, out *overlay.Effects[exchange]) {
	msg := exchange{answer: answer, count: uint8(len(list))}
	copy(msg.list[:], list)
	out.Sends = append(out.Sends, overlay.Send[exchange]{To: to, Class: overlay.Shuffle, Mode: overlay.Once, Msg: msg})
}

func (c *cyclon) at(p overlay.Peer) int {
	return slices.IndexFunc(c.view, func(v contact) bool { return v.peer == p })
}

// merge takes contacts in, into free places first, then in place of those given away.
func (c *cyclon) merge(got, given []contact) {
	for _, one := range got {
		if one.peer == c.self || c.at(one.peer) >= 0 {
			continue
		}
		for len(c.view) >= cyclonView && len(given) > 0 {
			if i := c.at(given[0].peer); i >= 0 {
				c.view = slices.Delete(c.view, i, i+1)
			}
			given = given[1:]
		}
		if len(c.view) < cyclonView {
			c.view = append(c.view, one)
		}
	}
}

func (c *cyclon) Check() error { return nil }

// cyclons is a world of so many nodes after 50 cycles.
func cyclons(seed uint64, nodes int) *sim.World[exchange] {
	w := sim.New(sim.Config[exchange]{
		Seed: seed, Nodes: nodes, Idle: overlay.Never,
		New: func(b sim.Boot) sim.Node[exchange] {
			c := &cyclon{self: b.Self, rng: b.RNG}
			for range cyclonView {
				if p := overlay.Peer(1 + b.RNG.IntN(nodes)); p != b.Self && c.at(p) < 0 {
					c.view = append(c.view, contact{peer: p})
				}
			}
			return c
		},
	})
	w.StartAll()
	for p := overlay.Peer(1); int(p) <= nodes; p++ {
		w.Command(p, overlay.Command{Op: overlay.OpTick})
	}
	w.RunFor(50 * cyclonCycle)
	return w
}

// gossiped is the mean reliability in percent of messages that every node passes on
// once, to so many of its view.
func gossiped(w *sim.World[exchange], rng *rand.Rand, fanout, messages int) float64 {
	living, sum := w.Living(), 0.0
	for range messages {
		seen := make([]bool, w.Len()+1)
		order := []overlay.Peer{living[rng.IntN(len(living))]}
		seen[order[0]] = true
		for i := 0; i < len(order); i++ {
			for _, c := range w.Node(order[i]).(*cyclon).some(fanout) {
				if w.Up(c.peer) && !seen[c.peer] {
					seen[c.peer] = true
					order = append(order, c.peer)
				}
			}
		}
		sum += 100 * float64(len(order)) / float64(len(living))
	}
	return sum / float64(messages)
}

// HPV-10.
func checkCyclon(t *testing.T, r round) {
	rng := rand.New(rand.NewPCG(r.seed, 10))
	w := cyclons(r.seed, r.nodes)
	wider := math.Sqrt(10000 / float64(r.nodes)) // the tolerances are those of 10,000
	for _, want := range []struct {
		fanout      int
		reliability float64
	}{{4, 98.4}, {5, 99.5}, {6, 99.8}} {
		if got := gossiped(w, rng, want.fanout, 50); math.Abs(got-want.reliability) > 0.2*wider {
			t.Errorf("HPV-10: fanout %d: %.2f %%, want %.1f", want.fanout, got, want.reliability)
		}
	}
	for _, want := range []struct {
		killed            int
		reliability, give float64
	}{{60, 50, 5}, {70, 12, 6}} {
		w := cyclons(r.seed, r.nodes)
		living := w.Living()
		rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
		for _, p := range living[:len(living)*want.killed/100] {
			w.Kill(p)
		}
		if got := gossiped(w, rng, 4, 1000); math.Abs(got-want.reliability) > want.give*wider {
			t.Errorf("HPV-10: %d %% killed: %.2f %%, want %.0f", want.killed, got, want.reliability)
		}
	}
}
