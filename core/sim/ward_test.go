package sim_test

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/core/sim"
)

// Who is alive, as every node of a cluster sees it.

// ward is a world for failure detection: links fall silent after 3 s, packets take up to
// 20 ms, everybody knows everybody at the beginning.
type ward struct {
	*sim.World[word]
	rng    *rand.Rand
	events []sighting
	keeper *keeper // of the registry; nil: there is none
	places int     // in an active view; 0: as many as by default
}

// sighting is an event of liveness at a node. When half of a large world dies there are
// tens of millions.
type sighting struct {
	at   overlay.Time
	node overlay.Peer
	Peer overlay.Peer
	Inc  uint32
	Kind overlay.EventKind
}

func newWard(r round) *ward { return &ward{rng: rand.New(rand.NewPCG(r.seed, 0xf))} }

// admit makes a ward and lets it come to rest. The clocks of the nodes are off by skew,
// if that is not nil.
func admit(r round, skew func(overlay.Peer) overlay.Time) *ward {
	w := newWard(r)
	w.admit(r, skew, func(*sim.Config[word]) {})
	return w
}

func (w *ward) admit(r round, skew func(overlay.Peer) overlay.Time, change func(*sim.Config[word])) {
	known := make([]liveness.Entry, r.nodes)
	for i := range known {
		known[i] = liveness.Entry{Peer: overlay.Peer(i + 1), State: liveness.Alive, Inc: 1, Proof: lifeProof()}
	}
	w.prepare(r, known, change)
	for p := overlay.Peer(1); int(p) <= r.nodes; p++ {
		if skew != nil {
			w.Skew(p, skew(p))
		}
	}
	for p := overlay.Peer(1); int(p) <= r.nodes; p++ {
		w.Start(p)
		if p > 1 {
			w.join(p)
			w.RunFor(5 * hop)
		}
	}
	w.RunFor(20 * time.Second)
	w.events = nil
}

// prepare makes the world. Its nodes know some others in their first life.
func (w *ward) prepare(r round, known []liveness.Entry, change func(*sim.Config[word])) {
	nodes := r.nodes
	cfg := sim.Config[word]{
		Seed: r.seed, Nodes: nodes, Idle: 3 * time.Second, Dial: 2 * time.Second, Latency: sim.Pairwise(hop, 20*hop),
		Observe: w.observe, Contacts: func(overlay.Peer) []overlay.Peer { return w.contacts() },
		New: func(b sim.Boot) sim.Node[word] {
			n := &whole{self: b.Self, inc: b.Inc, hv: hyparview.New(b.Self, b.Inc, w.views(), b.RNG), pt: plumtree.New(plumtree.Defaults(), uint64(b.Self), b.Inc)}
			mine := known
			if b.Inc > 1 || int(b.Self) > nodes {
				mine = nil
			}
			n.lv = liveness.New(liveness.Defaults(), b.Self, b.Inc, b.Now, b.RNG, mine)
			n.lv.Prove(lifeProof())
			if w.keeper != nil {
				n.rg = w.keeper.hire(b, mine)
			}
			return n
		},
	}
	if nodes <= 60 {
		cfg.Check, cfg.Codec = true, codec
	}
	change(&cfg)
	w.World = sim.New(cfg)
}

// views is what hyparview runs with.
func (w *ward) views() hyparview.Config {
	cfg := hyparview.Default()
	if w.places > 0 {
		cfg.Active = w.places
	}
	return cfg
}

// contacts are a few nodes that run.
func (w *ward) contacts() []overlay.Peer {
	living := w.Living()
	w.rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	return living[:min(len(living), 3)]
}

// join enters through a random node that runs.
func (w *ward) join(p overlay.Peer) {
	for _, c := range w.contacts() {
		if c != p {
			w.Command(p, overlay.Command{Op: overlay.OpJoin, Peer: c})
			return
		}
	}
}

func (w *ward) observe(now overlay.Time, at overlay.Peer, e *overlay.Event) {
	switch e.Kind {
	case overlay.MemberUp, overlay.MemberSuspect, overlay.MemberDown, overlay.MemberLeft, overlay.Partitioned, overlay.Healed, overlay.PeerDown:
		w.events = append(w.events, sighting{now, at, e.Peer, uint32(e.Inc), e.Kind})
	}
}

// count counts events of a kind about those who match.
func (w *ward) count(k overlay.EventKind, about func(overlay.Peer) bool) int {
	n := 0
	for _, s := range w.events {
		if s.Kind == k && about(s.Peer) {
			n++
		}
	}
	return n
}

func anybody(overlay.Peer) bool { return true }

// last is when the last event of a kind about p was seen, and how many saw one.
func (w *ward) last(k overlay.EventKind, p overlay.Peer) (last overlay.Time, seen int) {
	for _, s := range w.events {
		if s.Kind == k && s.Peer == p {
			last, seen = s.at, seen+1
		}
	}
	return last, seen
}

// until runs the world in small steps until something is true, and returns how long
// that took; more than limit if it did not come.
func (w *ward) until(limit overlay.Time, done func() bool) overlay.Time {
	from := w.Now()
	for !done() && w.Now()-from <= limit {
		w.RunFor(100 * time.Millisecond)
	}
	return w.Now() - from
}

// everybody reports whether all nodes but p itself hold that of p.
func (w *ward) everybody(p overlay.Peer, state liveness.State) bool {
	want := len(w.Living())
	if w.Up(p) {
		want--
	}
	n := 0
	for _, q := range w.Living() {
		if q != p && w.Node(q).(*whole).lv.Member(p).State == state {
			n++
		}
	}
	return n == want
}

// median is when half of the events of a kind had been seen.
func (w *ward) median(k overlay.EventKind) overlay.Time {
	var all []overlay.Time
	for _, s := range w.events {
		if s.Kind == k {
			all = append(all, s.at)
		}
	}
	if len(all) == 0 {
		return overlay.Never
	}
	return all[len(all)/2]
}

// anyone picks a node that runs.
func (w *ward) anyone() overlay.Peer {
	living := w.Living()
	return living[w.rng.IntN(len(living))]
}
