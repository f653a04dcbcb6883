package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// World is everything there is. It is for one goroutine.
type World[M Message] struct {
	cfg    Config[M]
	now    overlay.Time
	queue  queue
	events []event[M] // by reference
	unused []uint32
	hosts  []host[M] // by peer; the first is nobody
	links  []link
	free   []uint32 // links
	chance *chance
	out    overlay.Effects[M]
	in     overlay.Input[M]
	flying int  // events other than timers and scenario
	odd    bool // there are, or were, cuts, partitions or losses of single nodes
	cuts   map[[2]overlay.Peer]bool
	totals Totals
	digest uint64
	steps  uint64
	err    error
}

// host is the place of a node. What every event needs comes first and fills two lines
// of the cache of a processor: in a large world that is what time goes into.
type host[M Message] struct {
	node    Node[M]
	links   []port
	inc     uint64
	skew    overlay.Time
	group   uint32 // of the partition
	up      bool
	stalled bool
	ports   [8]port // where links lie, unless there are many

	chance  chance
	lossIn  float64
	lossOut float64
	held    []uint32 // inputs that wait for the end of a stall
	records []overlay.Record
	_       [32]byte // four lines
}

// New makes a world in which nothing runs yet.
func New[M Message](cfg Config[M]) *World[M] {
	if cfg.Latency == nil {
		cfg.Latency = Fixed(millisecond)
	}
	w := &World[M]{
		cfg:    cfg,
		hosts:  make([]host[M], cfg.Nodes+1),
		links:  make([]link, 1),
		chance: &chance{},
		cuts:   map[[2]overlay.Peer]bool{},
		digest: mix(0, cfg.Seed),
		odd:    cfg.Loss > 0,
	}
	w.chance.begin(*rand.NewPCG(cfg.Seed, 0))
	return w
}

// Now is the time since the beginning of the world.
func (w *World[M]) Now() overlay.Time { return w.now }

// Len is the number of places for nodes; they are 1 to Len.
func (w *World[M]) Len() int { return len(w.hosts) - 1 }

// Node is what runs at a place, nil if nothing does.
func (w *World[M]) Node(p overlay.Peer) Node[M] { return w.hosts[p].node }

// Up reports whether a node runs at that place; a stalled one does.
func (w *World[M]) Up(p overlay.Peer) bool { return w.hosts[p].up }

// Incarnation is how many lives the node has begun.
func (w *World[M]) Incarnation(p overlay.Peer) uint64 { return w.hosts[p].inc }

// Living lists the nodes that run, in order.
func (w *World[M]) Living() []overlay.Peer {
	var all []overlay.Peer
	for p := 1; p < len(w.hosts); p++ {
		if w.hosts[p].up {
			all = append(all, overlay.Peer(p))
		}
	}
	return all
}

// RNG is the chance of the world, for scenarios: using it changes the trace.
func (w *World[M]) RNG() *rand.Rand { return &w.chance.rand }

// Err is the first thing that went wrong: a Check or a Codec. The world goes on.
func (w *World[M]) Err() error { return w.err }

// Steps is how many inputs nodes have taken.
func (w *World[M]) Steps() uint64 { return w.steps }

// Digest is a number that is the same for two worlds in which the same happened.
func (w *World[M]) Digest() uint64 { return w.digest }

// Run lets the world go on until that moment.
func (w *World[M]) Run(until overlay.Time) {
	for w.queue.len() > 0 && w.queue.first() <= until {
		w.next()
	}
	w.now = max(w.now, until)
}

// RunFor lets the world go on for that long.
func (w *World[M]) RunFor(d overlay.Time) { w.Run(w.now + d) }

// Settle lets the world go on until nothing is under way but timers, at most for that
// long; it reports whether that came about.
func (w *World[M]) Settle(limit overlay.Time) bool {
	end := w.now + limit
	for w.flying > 0 && w.queue.first() <= end {
		w.next()
	}
	return w.flying == 0
}

func (w *World[M]) next() {
	it := w.queue.pop()
	w.now = it.at
	ev := &w.events[it.ref]
	if ev.flies() {
		w.flying--
	}
	if h := &w.hosts[ev.to]; h.stalled && ev.kind != evCall && ev.kind != evResume && ev.kind != evDial {
		h.held = append(h.held, it.ref)
		return
	}
	w.happen(it.ref)
}

func (w *World[M]) fail(p overlay.Peer, err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("at %v, node %d: %w", w.now, p, err)
	}
}
