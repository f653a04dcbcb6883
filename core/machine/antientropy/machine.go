package antientropy

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Config is how often stores are compared. Defaults are what production uses.
type Config struct {
	Period   time.Duration // between two comparisons that this node begins, give or take a quarter
	Soon     time.Duration // from a reason to compare to doing it, at most
	Patience time.Duration // for an answer of a peer
}

// Defaults is the configuration of production.
func Defaults() Config {
	return Config{Period: 10 * time.Second, Soon: 100 * time.Millisecond, Patience: 3 * time.Second}
}

// Send is a message for a linked peer.
type Send struct {
	To  name.Node
	Msg Message
}

// Effects is what Steps ask for. The caller owns it.
type Effects struct {
	Sends []Send
	// Behind: the peer is ahead of this store in these; fetch them, then call Done. It
	// comes once in each comparison that this node drives, perhaps without marks.
	Behind []Difference
}

// Difference is in what a peer is ahead.
type Difference struct {
	Peer   name.Node
	Marks  []Mark
	Driven bool // this node drives the comparison, which lasts until Done
}

// Stats counts what happened, for people.
type Stats struct {
	Hellos    uint64 // comparisons begun here
	Equal     uint64 // that ended with equal roots
	Driven    uint64 // that went on from here
	Abandoned uint64 // whose peer went away or fell silent
}

// Machine compares one store with those of the linked peers. It is not safe for
// concurrent use.
type Machine struct {
	cfg   Config
	rng   *rand.Rand
	store Store
	peers []name.Node // in the order in which they came
	owed  []name.Node // to be greeted, when their time has come

	driving name.Node // the peer of the comparison that this node drives; zero: none
	until   overlay.Time
	fetches bool // Behind has been told, the host is fetching
	theirs  []Mark
	covered Set

	periodAt overlay.Time
	soonAt   overlay.Time
	stats    Stats
	out      *Effects
	now      overlay.Time
}

// New makes a machine without peers. The machine keeps rng.
func New(cfg Config, store Store, now overlay.Time, rng *rand.Rand) *Machine {
	m := &Machine{cfg: cfg, store: store, rng: rng, soonAt: overlay.Never}
	m.periodAt = now + overlay.Time(rng.Int64N(int64(cfg.Period)))
	return m
}

// Stats is what happened so far.
func (m *Machine) Stats() Stats { return m.stats }

// Busy reports whether this node drives a comparison now.
func (m *Machine) Busy() bool { return !m.driving.IsZero() }

// Next is when Tick has something to do.
func (m *Machine) Next() overlay.Time {
	at := min(m.periodAt, m.soonAt)
	if m.Busy() {
		at = min(m.periodAt, m.until)
	}
	return at
}

// Up begins a comparison with a peer that is linked from now on.
func (m *Machine) Up(now overlay.Time, peer name.Node, out *Effects) {
	m.now, m.out = now, out
	if index(m.peers, peer) < 0 {
		m.peers = append(m.peers, peer)
	}
	m.owe(peer, 0)
	m.due()
}

// Down forgets a peer.
func (m *Machine) Down(now overlay.Time, peer name.Node, out *Effects) {
	m.now, m.out = now, out
	m.peers = without(m.peers, peer)
	m.owed = without(m.owed, peer)
	if m.driving == peer {
		m.abandon()
	}
	m.due()
}

// Suspect asks for a comparison with some peer soon: something seems to be missing.
func (m *Machine) Suspect(now overlay.Time, out *Effects) {
	m.now, m.out = now, out
	if len(m.peers) > 0 && len(m.owed) == 0 {
		m.owe(m.peers[m.rng.IntN(len(m.peers))], overlay.Time(m.rng.Int64N(int64(m.cfg.Soon)+1)))
	}
	m.due()
}

// Alive tells that the host hears from the peer from which it fetches.
func (m *Machine) Alive(now overlay.Time, peer name.Node) {
	if m.driving == peer {
		m.until = now + m.cfg.Patience
	}
}

// Done ends the comparison that this node drives: all has been fetched, or given up.
func (m *Machine) Done(now overlay.Time, peer name.Node, out *Effects) {
	m.now, m.out = now, out
	if m.driving == peer && m.fetches {
		m.rest()
	}
	m.due()
}

// Tick does what its time has come for.
func (m *Machine) Tick(now overlay.Time, out *Effects) {
	m.now, m.out = now, out
	m.due()
}

func (m *Machine) due() {
	if m.Busy() && m.until <= m.now {
		m.abandon()
	}
	if m.periodAt <= m.now {
		m.periodAt = m.now + m.cfg.Period*3/4 + overlay.Time(m.rng.Int64N(int64(m.cfg.Period/2)+1))
		if len(m.peers) > 0 && len(m.owed) == 0 {
			m.owe(m.peers[m.rng.IntN(len(m.peers))], 0)
		}
	}
	if len(m.owed) == 0 {
		m.soonAt = overlay.Never
	}
	if m.soonAt <= m.now && !m.Busy() {
		m.greetOwed()
	}
}

// owe notes that a peer is to be greeted.
func (m *Machine) owe(peer name.Node, after overlay.Time) {
	if index(m.owed, peer) < 0 {
		m.owed = append(m.owed, peer)
	}
	m.soonAt = min(m.soonAt, m.now+after)
}

// greetOwed greets one peer; the others wait for the outcome, for a little while.
func (m *Machine) greetOwed() {
	peer := m.owed[0]
	m.owed = m.owed[1:]
	m.soonAt = overlay.Never
	if len(m.owed) > 0 {
		m.soonAt = m.now + m.cfg.Soon
	}
	m.stats.Hellos++
	m.hello(peer, true)
}

func (m *Machine) hello(peer name.Node, reply bool) {
	sums := m.store.Sums()
	m.send(peer, Message{Kind: Hello, Root: sums.Root(), Count: uint64(sums.Count()), Reply: reply})
}

func (m *Machine) send(to name.Node, msg Message) {
	m.out.Sends = append(m.out.Sends, Send{To: to, Msg: msg})
}

func (m *Machine) abandon() {
	m.stats.Abandoned++
	m.rest()
}

// rest ends the comparison; the next peer that is owed a greeting gets it at once.
func (m *Machine) rest() {
	m.driving, m.fetches, m.theirs, m.covered = name.Node{}, false, nil, Set{}
	if len(m.owed) > 0 {
		m.soonAt = m.now
	}
}

func index(list []name.Node, node name.Node) int {
	for i := range list {
		if list[i] == node {
			return i
		}
	}
	return -1
}

func without(list []name.Node, node name.Node) []name.Node {
	if i := index(list, node); i >= 0 {
		return append(list[:i:i], list[i+1:]...)
	}
	return list
}
