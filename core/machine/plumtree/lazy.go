package plumtree

import "github.com/barrelp2p/barrel/core/machine/overlay"

// lazyPush announces a message over all links that are no edges, at once or soon.
func (m *Machine) lazyPush(arrived *link, a Announce) {
	if m.cfg.LazyAfter == 0 {
		m.announceNow(arrived, a)
		return
	}
	for _, l := range m.links {
		if l != arrived && !l.eager {
			m.enqueue(l, a)
		}
	}
}

// announceNow spends one list on all links.
func (m *Machine) announceNow(arrived *link, a Announce) {
	var list []Announce
	for _, l := range m.links {
		switch {
		case l == arrived || l.eager:
		case l.held:
			m.enqueue(l, a)
		default:
			if list == nil {
				list = []Announce{a}
			}
			m.send(l, Message{Kind: IHave, List: list})
		}
	}
}

// enqueue makes an announcement wait; the oldest gives way if too many do.
func (m *Machine) enqueue(l *link, a Announce) {
	if len(l.queue) >= m.cfg.MaxQueue {
		n := copy(l.queue, l.queue[1:])
		l.queue = l.queue[:n]
		m.stats.Shed++
	}
	l.queue = append(l.queue, a)
	if !l.held {
		m.flushAt = min(m.flushAt, m.now+m.cfg.LazyAfter)
	}
}

// flush sends the announcements that waited, except to those who have no room.
func (m *Machine) flush() {
	m.flushAt = overlay.Never
	for _, l := range m.links {
		if !l.held {
			m.announce(l, false)
		}
	}
}

// announce empties the queue of one link; greet says something even if it is empty.
func (m *Machine) announce(l *link, greet bool) {
	queue := l.queue
	l.queue = nil
	for len(queue) > 0 || greet {
		n := min(len(queue), maxList)
		m.send(l, Message{Kind: IHave, List: queue[:n:n]})
		queue, greet = queue[n:], false
	}
}
