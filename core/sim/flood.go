package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// Flooded is what became of one flood.
type Flooded struct {
	Reached  int               // nodes, with the source
	Living   int               // nodes that run
	LastHop  int               // of the last first delivery; the first transmission is 1
	Payloads int               // messages that reached a node
	Wasted   [][2]overlay.Peer // sender and dead target
}

// Reliability is the share of the living that were reached.
func (f *Flooded) Reliability() float64 { return float64(f.Reached) / float64(max(f.Living, 1)) }

// RMR is the relative message redundancy: payloads per receiver beyond the first.
func (f *Flooded) RMR() float64 { return float64(f.Payloads)/float64(max(f.Reached-1, 1)) - 1 }

// Flood sends a message from a node along the active views, all hops taking the same
// time: each node passes it on once, to its whole view but whom it has it from.
func (g *Graph) Flood(from overlay.Peer) Flooded {
	f := Flooded{Living: len(g.nodes)}
	if g.parent == nil {
		g.parent = make([]overlay.Peer, len(g.views))
	}
	dist, parent := g.unseen(), g.parent
	dist[from], parent[from] = 0, overlay.Nobody
	order := append(g.order[:0], from)
	for i := 0; i < len(order); i++ {
		p := order[i]
		for _, q := range g.views[p] {
			switch {
			case q == parent[p]:
				continue
			case !g.up[q]:
				f.Wasted = append(f.Wasted, [2]overlay.Peer{p, q})
				continue
			case dist[q] < 0:
				dist[q], parent[q] = dist[p]+1, p
				order = append(order, q)
			}
			f.Payloads++
		}
	}
	g.order = order
	f.Reached, f.LastHop = len(order), int(dist[order[len(order)-1]])
	return f
}

// Sever tells one end of a link that it is gone, as a send that fails would.
func (w *World[M]) Sever(at, other overlay.Peer) {
	if ref, side := w.find(at, other); ref != 0 {
		w.lose(ref, side, overlay.Lost)
	}
}
