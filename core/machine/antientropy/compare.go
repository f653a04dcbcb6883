package antientropy

import (
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Receive takes a message of a linked peer.
func (m *Machine) Receive(now overlay.Time, from name.Node, msg *Message, out *Effects) {
	m.now, m.out = now, out
	if index(m.peers, from) >= 0 {
		switch msg.Kind {
		case Hello:
			m.greeted(from, msg)
		case Compare:
			m.answer(from, msg.Sums)
		case Marks:
			m.marks(from, msg)
		case Offer:
			m.offered(from, msg.Marks)
		}
	}
	m.due()
}

// greeted: whoever has less to compare drives. The other answers, if it is asked to.
func (m *Machine) greeted(from name.Node, msg *Message) {
	sums := m.store.Sums()
	mine, count := sums.Root(), uint64(sums.Count())
	switch {
	case mine == msg.Root:
		m.stats.Equal++
		m.owed = without(m.owed, from)
	case count < msg.Count || count == msg.Count && mine < msg.Root:
		m.drive(from)
	case msg.Reply:
		m.hello(from, false)
	}
	if len(m.owed) == 0 {
		m.soonAt = overlay.Never
	}
}

func (m *Machine) drive(peer name.Node) {
	m.owed = without(m.owed, peer)
	if m.Busy() {
		if m.driving != peer {
			m.owe(peer, m.cfg.Soon)
		}
		return
	}
	m.driving, m.until = peer, m.now+m.cfg.Patience
	m.stats.Driven++
	sums := m.store.Sums().buckets
	m.send(peer, Message{Kind: Compare, Sums: &sums})
}

// answer lists the buckets that differ, in as many frames as it takes.
func (m *Machine) answer(to name.Node, theirs *[Buckets]uint64) {
	set := m.store.Sums().differ(theirs)
	next := Message{Kind: Marks}
	size := 0
	for b := range Buckets {
		if !set.Has(uint8(b)) {
			continue
		}
		for _, mark := range m.store.Marks(uint8(b), nil) {
			if size += mark.size(); size > MaxFrame-64 || len(next.Marks) == maxMarks {
				m.send(to, next)
				next, size = Message{Kind: Marks}, mark.size()
			}
			next.Marks = append(next.Marks, mark)
		}
		next.Set.Add(uint8(b))
	}
	next.Last = true
	m.send(to, next)
}

// maxTheirs bounds what one comparison keeps of a peer's marks.
const maxTheirs = 1 << 17

// marks collects what the peer has in the buckets that differ.
func (m *Machine) marks(from name.Node, msg *Message) {
	if m.driving != from || m.fetches || len(m.theirs)+len(msg.Marks) > maxTheirs {
		return
	}
	m.until = m.now + m.cfg.Patience
	m.theirs = append(m.theirs, msg.Marks...)
	for i := range m.covered {
		m.covered[i] |= msg.Set[i]
	}
	if msg.Last {
		m.conclude(from)
	}
}

// conclude tells the host what to fetch, and the peer what it lacks.
func (m *Machine) conclude(peer name.Node) {
	m.fetches = true
	m.offer(peer)
	behind := m.behind(m.theirs)
	m.theirs = nil
	m.out.Behind = append(m.out.Behind, Difference{Peer: peer, Marks: behind, Driven: true})
}

func (m *Machine) behind(theirs []Mark) (marks []Mark) {
	for i := range theirs {
		mine := m.store.Mark(theirs[i].Key)
		if mine.Compare(&theirs[i]) < 0 {
			marks = append(marks, theirs[i])
		}
	}
	return marks
}

func (m *Machine) offer(peer name.Node) {
	theirs := make(map[string]*Mark, len(m.theirs))
	for i := range m.theirs {
		theirs[m.theirs[i].Key] = &m.theirs[i]
	}
	next := Message{Kind: Offer}
	size := 0
	for b := range Buckets {
		if !m.covered.Has(uint8(b)) {
			continue
		}
		for _, mark := range m.store.Marks(uint8(b), nil) {
			if have := theirs[mark.Key]; have != nil && have.Compare(&mark) >= 0 {
				continue
			}
			if size += mark.size(); size > MaxFrame-64 || len(next.Marks) == maxMarks {
				m.send(peer, next)
				next, size = Message{Kind: Offer}, mark.size()
			}
			next.Marks = append(next.Marks, mark)
		}
	}
	if len(next.Marks) > 0 {
		m.send(peer, next)
	}
}

// offered: the peer drives, and is ahead in these.
func (m *Machine) offered(from name.Node, marks []Mark) {
	if behind := m.behind(marks); len(behind) > 0 {
		m.out.Behind = append(m.out.Behind, Difference{Peer: from, Marks: behind})
	}
}
