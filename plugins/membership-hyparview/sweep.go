package membershiphyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// linkedOnes are the entries with a link, in the order of their numbers.
func (b *book) linkedOnes() []*entry {
	return b.pick(func(e *entry) bool { return e.linked > 0 })
}

// candidates are the peers that could be dialed to find the cluster again.
func (b *book) candidates() []overlay.Peer {
	var peers []overlay.Peer
	for _, e := range b.pick(func(e *entry) bool { return e != b.self && e.linked == 0 && !e.record.Left }) {
		peers = append(peers, e.peer)
	}
	return peers
}

func (b *book) pick(want func(*entry) bool) []*entry {
	var all []*entry
	for _, e := range b.byPeer {
		if want(e) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, c *entry) int { return int(a.peer) - int(c.peer) })
	return all
}

// sweep takes numbers back that neither machine will speak of again, once there are many
// of them.
func (b *book) sweep(m *mind) {
	if len(b.byPeer) < b.tidyAt {
		return
	}
	for _, e := range b.pick(func(e *entry) bool {
		return e != b.self && e.linked == 0 && len(m.joins[e.peer]) == 0 && !m.hv.Knows(e.peer) && !m.lv.Knows(e.peer)
	}) {
		b.remove(e)
	}
	b.tidyAt = 2*len(b.byPeer) + spareEntries/2
}
