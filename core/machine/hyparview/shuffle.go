package hyparview

import (
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func (m *Machine) firstShuffle() overlay.Time {
	return overlay.Time(m.rng.Int64N(int64(m.cfg.Shuffle) + 1))
}

// shuffle sends some of what this node knows on a walk, to get something in return.
func (m *Machine) shuffle() {
	if m.left || len(m.active) == 0 {
		return // the next neighbour begins it again
	}
	m.arm(&m.shuffling, timeShuffle, m.now+m.around(m.cfg.Shuffle))
	m.age()
	target := m.active[m.rng.IntN(len(m.active))].peer
	msg := Message{Kind: Shuffle, TTL: m.cfg.ShuffleTTL, Subject: m.self}
	msg.add(m.self)
	m.sampleActive(&msg, m.cfg.ShuffleActive, target)
	m.sample(&msg, m.cfg.ShufflePassive, target)
	m.shuffled, m.awaited = msg, m.now+max(m.cfg.Shuffle/shuffleSlack, time.Second)
	m.say(target, msg)
}

// sampleActive adds up to n random neighbours.
func (m *Machine) sampleActive(msg *Message, n int, but overlay.Peer) {
	seen := 0
	at := int(msg.Count)
	for i := range m.active {
		p := m.active[i].peer
		if p == but {
			continue
		}
		seen++
		if seen <= n {
			msg.add(p)
		} else if j := m.rng.IntN(seen); j < n {
			msg.IDs[at+j] = p
		}
	}
}

// onShuffle passes a walk on, or ends and answers it.
func (m *Machine) onShuffle(from overlay.Peer, msg *Message) {
	origin, ttl := msg.Subject, min(msg.TTL, m.cfg.ShuffleTTL)
	if origin == m.self || origin == overlay.Nobody {
		return
	}
	if ttl > 1 {
		if next, more := m.other(from, origin); more {
			on := *msg
			on.TTL = ttl - 1
			m.say(next, on)
			return
		}
	}
	answer := Message{Kind: ShuffleReply}
	m.sample(&answer, int(msg.Count), origin)
	switch {
	case answer.Count == 0:
	case m.isActive(origin):
		m.say(origin, answer)
	default:
		m.send(origin, overlay.Once, answer)
	}
	if m.takes(from) {
		msg.Count = min(msg.Count, uint8(1+m.cfg.ShuffleActive+m.cfg.ShufflePassive))
		m.learnAll(msg, &answer)
	}
}

// takes reports whether the ids of one more shuffle that a neighbour brings are taken: an honest one
// brings less than one in a period, and a few at once by chance.
func (m *Machine) takes(from overlay.Peer) bool {
	n := &m.active[m.neighbourAt(from)]
	n.taken = max(n.taken, m.now-shuffleBurst*m.cfg.Shuffle)
	if n.taken+m.cfg.Shuffle > m.now {
		return false
	}
	n.taken += m.cfg.Shuffle
	return true
}

func (m *Machine) onShuffleReply(msg *Message) {
	if m.now >= m.awaited || m.left {
		m.rejected++
		return
	}
	m.awaited = 0
	m.learnAll(msg, &m.shuffled)
}

// learnAll takes the ids of a message in place of those that were given for them.
func (m *Machine) learnAll(msg, given *Message) {
	for _, p := range msg.Peers() {
		m.learn(p, given.Peers())
	}
}
