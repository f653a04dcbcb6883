package sim

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// chance is a random source in one piece of memory.
type chance struct {
	pcg  rand.PCG
	rand rand.Rand
}

// begin makes it go on from there. It must not be copied after that.
func (c *chance) begin(pcg rand.PCG) {
	c.pcg = pcg
	c.rand = *rand.New(&c.pcg)
}

// Fork makes a second world that goes on from here as this one will: what is expensive
// to grow is grown once. clone copies a node, which from then on uses rng. What the
// scenario asked for with At stays behind, and so do Contacts, Observe and Codec with
// what they remember: give others in cfg.
func (w *World[M]) Fork(clone func(n Node[M], rng *rand.Rand) Node[M], cfg Config[M]) *World[M] {
	f := *w
	f.cfg = cfg
	f.cfg.Seed, f.cfg.Nodes, f.cfg.New, f.cfg.Latency = w.cfg.Seed, w.cfg.Nodes, w.cfg.New, w.cfg.Latency
	f.chance = &chance{}
	f.chance.begin(w.chance.pcg)
	f.out, f.in = overlay.Effects[M]{}, overlay.Input[M]{}
	f.queue.near, f.queue.far = slices.Clone(w.queue.near), slices.Clone(w.queue.far)
	f.events, f.unused, f.free = slices.Clone(w.events), slices.Clone(w.unused), slices.Clone(w.free)
	for i := range f.events {
		if f.events[i].kind == evCall {
			f.events[i].call = func() {}
		}
	}
	f.cuts = maps.Clone(w.cuts)
	f.links = slices.Clone(w.links)
	for i := range f.links {
		for side := range f.links[i].ends {
			f.links[i].ends[side].held = slices.Clone(f.links[i].ends[side].held)
		}
	}
	f.hosts = slices.Clone(w.hosts)
	for i := range f.hosts {
		f.hosts[i].detach(clone)
	}
	return &f
}

// detach makes a copied host independent of the one it was copied from.
func (h *host[M]) detach(clone func(Node[M], *rand.Rand) Node[M]) {
	h.links = append(h.ports[:0:len(h.ports)], h.links...)
	h.held, h.records = slices.Clone(h.held), slices.Clone(h.records)
	if h.node != nil {
		h.chance.begin(h.chance.pcg)
		h.node = clone(h.node, &h.chance.rand)
	}
}
