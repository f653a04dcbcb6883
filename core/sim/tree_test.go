package sim_test

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// treeOf counts the edges of the broadcast tree, the ends that take a link for one alone,
// and the parts into which the nodes fall, smallest first.
func treeOf(w *sim.World[word]) (edges, oneSided int, islands []int) {
	eager := map[[2]overlay.Peer]bool{}
	parent := map[overlay.Peer]overlay.Peer{}
	var root func(overlay.Peer) overlay.Peer
	root = func(p overlay.Peer) overlay.Peer {
		if parent[p] != p {
			parent[p] = root(parent[p])
		}
		return parent[p]
	}
	for _, p := range w.Living() {
		parent[p] = p
		for _, q := range w.Node(p).(*whole).pt.Eager() {
			eager[[2]overlay.Peer{p, q}] = true
		}
	}
	for link := range eager {
		if eager[[2]overlay.Peer{link[1], link[0]}] {
			edges++
			parent[root(link[0])] = root(link[1])
		} else {
			oneSided++
		}
	}
	size := map[overlay.Peer]int{}
	for _, p := range w.Living() {
		size[root(p)]++
	}
	for _, n := range size {
		islands = append(islands, n)
	}
	slices.Sort(islands)
	return edges / 2, oneSided, islands
}
