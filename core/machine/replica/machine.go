package replica

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/antientropy"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Config is how a replica works.
type Config struct {
	Log     ownerlog.Config
	Compare antientropy.Config
	Flush   time.Duration // between two batches of this node, at least
	// Holders says which owners have something visible about a subject; for Find.
	Holders func(subject string) []name.Node
	// Known says whether what an owner signs can be checked; what it is not is not pulled.
	Known func(owner string) bool
}

// Defaults is the configuration of production, without what only the host knows.
func Defaults() Config {
	return Config{
		Log: ownerlog.Defaults(), Compare: antientropy.Defaults(), Flush: 20 * time.Millisecond,
		Holders: func(string) []name.Node { return nil }, Known: func(string) bool { return true },
	}
}

// InKind says what a Step is about.
type InKind uint8

// The inputs.
const (
	Tick      InKind = iota + 1 // Next has come
	PeerUp                      // Node: linked, and to be compared with
	PeerDown                    // Node: no longer
	MemberUp                    // Node, Inc: alive
	MemberEnd                   // Node, Inc, Text: dead or left, and why
	Broadcast                   // Data, of anybody
	Frame                       // Node (whose link it came by), Data
	Find                        // Text: the subject; look for it among the peers
)

// Input is one thing that happened.
type Input struct {
	Kind InKind
	Node name.Node
	Inc  uint64
	Text string
	Data []byte
}

// Send is a frame for a linked peer. If it cannot be sent it may be dropped.
type Send struct {
	To   name.Node
	Data []byte
}

// Effects is what Steps ask for. The caller owns it.
type Effects struct {
	Broadcasts [][]byte // to everybody
	Sends      []Send
	Changes    []ownerlog.Change // of what is visible, in order
	Found      []string          // searches that are over, by subject
}

// Reset empties the effects and keeps the room.
func (e *Effects) Reset() {
	e.Broadcasts, e.Sends, e.Changes, e.Found = e.Broadcasts[:0], e.Sends[:0], e.Changes[:0], e.Found[:0]
}

// Machine is the replica of one node. It is not safe for concurrent use.
type Machine struct {
	cfg   Config
	rng   *rand.Rand
	now   overlay.Time
	out   *Effects
	store *ownerlog.Store
	anti  *antientropy.Machine
	aeOut antientropy.Effects
	peers []*peer // in the order in which they came

	flushAt overlay.Time // when staged operations go out; Never: none
	sealed  overlay.Time // when the last went out
	gapAt   overlay.Time
	sweepAt overlay.Time

	asked map[string]name.Node // owners that are being pulled, and from whom
	finds finds
	stats Stats
}

// Stats counts what happened, for people and metrics.
type Stats struct {
	Log       ownerlog.Stats
	Compare   antientropy.Stats
	Malformed uint64 // frames and broadcasts
	Pulls     uint64
	Timeouts  uint64 // of pulls
	Searches  uint64 // on behalf of others
	Refused   uint64 // searches that were too many
}

const sweepPeriod = time.Second

// New makes the replica of a node that begins a life. The machine keeps rng.
func New(cfg Config, now overlay.Time, rng *rand.Rand) *Machine {
	m := &Machine{cfg: cfg, rng: rng, now: now, flushAt: overlay.Never, gapAt: now, sealed: now - cfg.Flush, asked: map[string]name.Node{}}
	m.store = ownerlog.New(cfg.Log)
	m.anti = antientropy.New(cfg.Compare, m.store, now, rng)
	m.sweepAt = now + overlay.Time(rng.Int64N(int64(sweepPeriod)))
	return m
}

// Store is what the replica knows, to be read.
func (m *Machine) Store() *ownerlog.Store { return m.store }

// Stats is what happened so far.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Log, s.Compare = m.store.Stats(), m.anti.Stats()
	return s
}

// Write applies an operation of this node; others hear of it within Flush. The error
// wraps ownerlog.ErrFull.
func (m *Machine) Write(now overlay.Time, op ownerlog.Op, out *Effects) error {
	m.now, m.out = max(m.now, now), out
	if _, full := m.store.Staged(len(op.Key) + len(op.Val) + 8); full {
		m.seal()
	}
	err := m.store.Stage(op)
	if some, _ := m.store.Staged(0); some && m.flushAt == overlay.Never {
		m.flushAt = max(m.now, m.sealed+m.cfg.Flush)
	}
	m.finish()
	return err
}

// Resign signs the log of this node anew, because its key has changed, and tells everybody.
func (m *Machine) Resign(now overlay.Time, out *Effects) {
	m.now, m.out = max(m.now, now), out
	m.seal()
	if b := m.store.Resign(); b != nil {
		m.out.Broadcasts = append(m.out.Broadcasts, ownerlog.AppendBatch(nil, b))
	}
	m.finish()
}

// Step takes one input at a time that does not go back, and appends to out what to do.
func (m *Machine) Step(now overlay.Time, in *Input, out *Effects) {
	m.now, m.out = max(m.now, now), out
	m.findsDue()
	switch in.Kind {
	case PeerUp:
		m.peerUp(in.Node)
	case PeerDown:
		m.peerDown(in.Node)
	case MemberUp:
		if m.store.Up(m.now, in.Node, in.Inc) {
			m.anti.Suspect(m.now, &m.aeOut)
		}
	case MemberEnd:
		m.store.Gone(m.now, in.Node, in.Inc, in.Text)
	case Broadcast:
		m.broadcast(in.Data)
	case Frame:
		m.frame(in.Node, in.Data)
	case Find:
		m.find(in.Text)
	}
	m.finish()
}

// finish does what its time has come for, and hands on what the parts asked for.
func (m *Machine) finish() {
	m.due()
	for more := true; more; more = len(m.aeOut.Sends)+len(m.aeOut.Behind) > 0 {
		m.compared()
		for _, owner := range m.store.Wanted() {
			m.wantAnywhere(owner)
		}
		m.ask()
	}
	m.out.Changes = append(m.out.Changes, m.store.Changes()...)
	m.out = nil
}

func (m *Machine) due() {
	if m.flushAt <= m.now {
		m.seal()
	}
	if m.anti.Next() <= m.now {
		m.anti.Tick(m.now, &m.aeOut)
	}
	if m.store.Gaps() && m.gapAt <= m.now {
		m.gapAt = m.now + m.cfg.Log.GapAfter/4
		for _, owner := range m.store.Due(m.now) {
			m.wantAnywhere(owner)
		}
	}
	if m.sweepAt <= m.now {
		m.sweepAt = m.now + sweepPeriod
		m.store.Sweep(m.now)
		m.forgetSeen()
	}
	m.fetchesDue()
}

// Next is when a Tick is due.
func (m *Machine) Next() overlay.Time {
	at := min(m.flushAt, m.anti.Next(), m.sweepAt, m.nextFind())
	if m.store.Gaps() {
		at = min(at, m.gapAt)
	}
	for _, p := range m.peers {
		at = min(at, p.until)
	}
	return at
}

func (m *Machine) seal() {
	m.flushAt = overlay.Never
	if b := m.store.Seal(); b != nil {
		m.sealed = m.now
		m.out.Broadcasts = append(m.out.Broadcasts, ownerlog.AppendBatch(nil, b))
	}
}

func (m *Machine) broadcast(data []byte) {
	b, err := ownerlog.DecodeBatch(data)
	if err != nil {
		m.stats.Malformed++
		return
	}
	m.store.Receive(m.now, b)
}

// compared sends what antientropy wants said, and notes what it wants fetched.
func (m *Machine) compared() {
	out := m.aeOut
	m.aeOut = antientropy.Effects{}
	for i := range out.Sends {
		m.send(out.Sends[i].To, antientropy.Append(nil, &out.Sends[i].Msg))
	}
	for _, d := range out.Behind {
		m.behind(d)
	}
}

func (m *Machine) send(to name.Node, data []byte) {
	m.out.Sends = append(m.out.Sends, Send{To: to, Data: data})
}
