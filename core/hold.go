package core

import (
	"sync"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// holds keeps links from being closed as idle: those of neighbours, for membership, and
// those over which an answer is awaited, however long that takes. Without the latter a
// call that takes longer than links.idle_after would lose its link.
type holds struct {
	links *link.Links

	mu         sync.Mutex
	neighbours map[name.Node]bool
	calls      map[name.Node]int
}

func newHolds(links *link.Links) *holds {
	return &holds{links: links, neighbours: map[name.Node]bool{}, calls: map[name.Node]int{}}
}

// neighbour is the word of membership.
func (h *holds) neighbour(node name.Node, hold bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.neighbours[node] = hold; !hold {
		delete(h.neighbours, node)
	}
	h.links.Hold(node, hold || h.calls[node] > 0)
}

// letGo is the word of membership that it has no use for the link any more. Others may.
func (h *holds) letGo(node name.Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.neighbours, node)
	h.links.Hold(node, h.calls[node] > 0)
	h.links.Release(node)
}

// call holds the link to node until release.
func (h *holds) call(node name.Node) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[node]++; h.calls[node] == 1 {
		h.links.Hold(node, true)
	}
	return func() { h.release(node) }
}

func (h *holds) release(node name.Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[node]--; h.calls[node] == 0 {
		delete(h.calls, node)
		h.links.Hold(node, h.neighbours[node])
	}
}
