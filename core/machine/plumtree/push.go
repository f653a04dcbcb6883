package plumtree

import "github.com/barrelp2p/barrel/core/machine/overlay"

// broadcast begins a message here.
func (m *Machine) broadcast(key uint64, data []byte) {
	if len(data) > m.cfg.MaxPayload {
		m.stats.Oversize++
		return
	}
	m.seq++
	msg := Message{Kind: Gossip, ID: ID{Origin: m.origin, Life: m.life, Seq: m.seq}, Key: key, Data: data}
	m.seen.add(msg.ID)
	m.stats.Broadcasts++
	m.accept(overlay.Nobody, nil, &msg)
}

// gossip takes a payload that a peer pushed or that was asked of it.
func (m *Machine) gossip(from overlay.Peer, l *link, msg *Message) {
	switch {
	case len(msg.Data) > m.cfg.MaxPayload:
		m.stats.Oversize++
		return
	case m.seen.add(msg.ID):
		m.stats.Delivered++
		better := m.shorter(l, msg)
		m.accept(from, l, msg)
		m.optimise(l, better)
		return
	}
	m.stats.Duplicates++
	switch {
	case l == nil:
		// No neighbour: it may not know that. Its end turns lazy, this one has none.
		stray := Message{Kind: Prune, Version: msg.Version + 1}
		m.out.Sends = append(m.out.Sends, overlay.Send[Message]{To: from, Class: overlay.Announce, Msg: stray})
		m.stats.sent(&stray)
	case l.eager && m.fed(msg.ID):
		m.prune(l)
	default:
		m.catchUp(l, msg.Version, msg.Eager)
	}
}

// fed reports whether the link over which the first copy came is an edge. If it is not,
// another message that came another way has made it lazy: two messages at once would cut a node off
// that prunes for each of them.
func (m *Machine) fed(id ID) bool {
	e := m.cache.get(id)
	if e == nil || e.from == overlay.Nobody {
		return true
	}
	l := m.find(e.from)
	return l == nil || l.eager
}

// accept delivers a message that is new here and passes it on.
func (m *Machine) accept(from overlay.Peer, arrived *link, msg *Message) {
	m.forgetMissing(msg.ID)
	m.stats.Evicted += uint64(m.cache.put(m.now, from, msg))
	m.out.Events = append(m.out.Events, overlay.Event{Kind: overlay.Deliver, Peer: from, Key: msg.Key, Round: msg.Round, Inc: msg.ID.Life, Data: msg.Data})
	next := Message{Kind: Gossip, ID: msg.ID, Round: msg.Round + 1, Key: msg.Key, Data: msg.Data}
	for _, l := range m.links {
		if l != arrived && l.eager {
			m.send(l, next)
		}
	}
	m.lazyPush(arrived, Announce{msg.ID, next.Round})
}

// shorter picks the neighbour that announced a message at a round lower by Threshold
// than the one at which it came, the lowest. That neighbour was also earlier, or its word would
// not be here yet.
func (m *Machine) shorter(arrived *link, msg *Message) *link {
	w := m.missing.get(msg.ID)
	if w == nil || m.cfg.Threshold == 0 || arrived == nil || !arrived.eager {
		return nil
	}
	var best *link
	least := msg.Round
	for _, a := range w.announcers {
		if a.round+m.cfg.Threshold > msg.Round || a.round >= least {
			continue
		}
		if l := m.find(a.peer); l != nil && l != arrived && !l.eager && !l.slow {
			best, least = l, a.round
		}
	}
	return best
}

// optimise makes a link an edge in the place of the one over which a message came. It
// comes after the message was passed on, which that neighbour has.
func (m *Machine) optimise(arrived, better *link) {
	if better == nil {
		return
	}
	m.stats.Optimised++
	m.turn(better, true)
	m.send(better, Message{Kind: Graft})
	m.prune(arrived)
}
