package sim

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Graph is the active views of all nodes at one moment.
type Graph struct {
	views [][]overlay.Peer // by peer
	up    []bool
	nodes []overlay.Peer // that run

	dist   []int32 // of the last walk, to be used again
	parent []overlay.Peer
	order  []overlay.Peer
}

// Graph looks at the views of the nodes that are Viewers.
func (w *World[M]) Graph() *Graph {
	g := &Graph{views: make([][]overlay.Peer, len(w.hosts)), up: make([]bool, len(w.hosts)), nodes: w.Living()}
	all := make([]overlay.Peer, 0, 6*len(g.nodes))
	for _, p := range g.nodes {
		g.up[p] = true
		if v, ok := w.hosts[p].node.(Viewer); ok {
			from := len(all)
			all = v.Active(all)
			g.views[p] = all[from:len(all):len(all)]
		}
	}
	return g
}

// Nodes lists the nodes that run, in order.
func (g *Graph) Nodes() []overlay.Peer { return g.nodes }

// Degrees counts the nodes by the size of their active view.
func (g *Graph) Degrees() map[int]int {
	count := map[int]int{}
	for _, p := range g.nodes {
		count[len(g.views[p])]++
	}
	return count
}

// InDegrees counts the nodes by how many active views they are in.
func (g *Graph) InDegrees() map[int]int {
	known := make([]int, len(g.views))
	for _, p := range g.nodes {
		for _, q := range g.views[p] {
			known[q]++
		}
	}
	count := map[int]int{}
	for _, p := range g.nodes {
		count[known[p]]++
	}
	return count
}

// OneSided counts the entries of active views that the other does not return. While
// neighbours change a few are on their way at any moment.
func (g *Graph) OneSided() int { return len(g.OneSidedLinks()) }

// OneSidedLinks lists them: whose view it is, and who is in it.
func (g *Graph) OneSidedLinks() (all [][2]overlay.Peer) {
	for _, p := range g.nodes {
		for _, q := range g.views[p] {
			if !g.up[q] || !slices.Contains(g.views[q], p) {
				all = append(all, [2]overlay.Peer{p, q})
			}
		}
	}
	return all
}

// Accuracy is the share of entries of active views that are nodes that run, averaged
// over the nodes with a view.
func (g *Graph) Accuracy() float64 {
	sum, n := 0.0, 0
	for _, p := range g.nodes {
		live := 0
		for _, q := range g.views[p] {
			if g.up[q] {
				live++
			}
		}
		if len(g.views[p]) > 0 {
			sum, n = sum+float64(live)/float64(len(g.views[p])), n+1
		}
	}
	return sum / float64(max(n, 1))
}

// walk visits what can be reached from a node along active views, nearest first. dist
// holds -1 for those not seen yet; the order of the visit is appended to an empty slice.
func (g *Graph) walk(from overlay.Peer, dist []int32, order []overlay.Peer) []overlay.Peer {
	dist[from] = 0
	order = append(order, from)
	for i := 0; i < len(order); i++ {
		p := order[i]
		for _, q := range g.views[p] {
			if g.up[q] && dist[q] < 0 {
				dist[q] = dist[p] + 1
				order = append(order, q)
			}
		}
	}
	return order
}

// unseen is distances of which none is known yet, until it is called again.
func (g *Graph) unseen() []int32 {
	if g.dist == nil {
		g.dist = make([]int32, len(g.views))
	}
	for i := range g.dist {
		g.dist[i] = -1
	}
	return g.dist
}

// Components are the sizes of the parts between which there is no path, the largest
// first. An entry counts in its own direction only, so use it when OneSided is 0.
func (g *Graph) Components() []int {
	var sizes []int
	dist := g.unseen()
	for _, p := range g.nodes {
		if dist[p] < 0 {
			g.order = g.walk(p, dist, g.order[:0])
			sizes = append(sizes, len(g.order))
		}
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	return sizes
}

// Unreached lists the nodes to which there is no path from one.
func (g *Graph) Unreached(from overlay.Peer) []overlay.Peer {
	dist := g.unseen()
	g.walk(from, dist, nil)
	return slices.DeleteFunc(slices.Clone(g.nodes), func(p overlay.Peer) bool { return dist[p] >= 0 })
}

// Connectivity is the share of the nodes in the largest component.
func (g *Graph) Connectivity() float64 {
	if len(g.nodes) == 0 {
		return 0
	}
	return float64(g.Components()[0]) / float64(len(g.nodes))
}

// ShortestPath is the mean number of hops from so many nodes, evenly chosen, to all
// that they reach, and the largest.
func (g *Graph) ShortestPath(sources int) (mean float64, longest int) {
	sum, pairs := 0, 0
	step := max(1, len(g.nodes)/max(1, sources))
	for i := 0; i < len(g.nodes); i += step {
		dist := g.unseen()
		g.order = g.walk(g.nodes[i], dist, g.order[:0])
		for _, q := range g.order {
			sum += int(dist[q])
			longest = max(longest, int(dist[q]))
			pairs++
		}
		pairs-- // not to itself
	}
	return float64(sum) / float64(max(pairs, 1)), longest
}

// Clustering is the mean over the nodes of the share of pairs of neighbours that are
// neighbours of each other.
func (g *Graph) Clustering() float64 {
	sum := 0.0
	for _, p := range g.nodes {
		v := g.views[p]
		if len(v) < 2 {
			continue
		}
		closed := 0
		for i, a := range v {
			for _, b := range v[i+1:] {
				if slices.Contains(g.views[a], b) || slices.Contains(g.views[b], a) {
					closed++
				}
			}
		}
		sum += float64(2*closed) / float64(len(v)*(len(v)-1))
	}
	return sum / float64(max(len(g.nodes), 1))
}
