package liveness

import (
	"math/rand/v2"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// OpTree is the command that says which links (Peers) the counters follow: the edges of
// the broadcast tree. Without it they go over every link.
const OpTree overlay.Op = 64

// Everybody is the receiver of a Send that is to be broadcast.
const Everybody = overlay.Nobody

// Machine is what one node believes about the life of all. It is not safe for
// concurrent use.
type Machine struct {
	cfg   Config
	rng   *rand.Rand
	now   overlay.Time
	out   *overlay.Effects[Message]
	stats Stats

	table  table
	marks  watermarks
	quota  map[overlay.Peer]*quota // by observer, those who accused lately
	links  []link
	tree   []overlay.Peer // nil: all links
	left   bool
	proof  *Proof
	refute refutation

	strangers crowd // all observers without a link to this node
	quotaRoom int   // quotas at which to look for useless ones

	inquiries []inquiry
	relays    []relay
	lost      []overlay.Time // when links fell, the last few
	suspects  []overlay.Peer
	guard     guard
	health    health

	count     uint32 // own counter, since it began anew with a stamp:
	counted   uint32 // that refutation
	stepAt    overlay.Time
	steps     []step       // of counters, not passed on yet
	late      []Entry      // those whose steps were overdue at the last tick
	doubts    []Entry      // those whom this node doubted at the last tick
	seekAt    overlay.Time // not before does this node look for paths again
	scan      int
	compareAt overlay.Time
	rounds    int               // comparisons since the last that brought something, about
	newsAt    overlay.Time      // when news are passed on
	wants     map[uint64][]want // by number of the member
	spurned   spurned
	revived   map[overlay.Peer]bool // given up, and doubted lately; maxEntries at most
	reviveAt  overlay.Time          // when they may be doubted again
	tickAt    overlay.Time
	sweepAt   overlay.Time
	armed     overlay.Time
	gen       uint32
	nonce     uint32
}

// New makes the machine of a node that begins a life. known is what a former life left
// behind: members are believed for as long as the counters say. rng is the only source of
// chance; the machine keeps it.
func New(cfg Config, self overlay.Peer, inc uint64, now overlay.Time, rng *rand.Rand, known []Entry) *Machine {
	m := &Machine{cfg: cfg, rng: rng, now: now, armed: overlay.Never, sweepAt: overlay.Never, newsAt: overlay.Never, wants: map[uint64][]want{}, revived: map[overlay.Peer]bool{}}
	if m.cfg.ID == nil {
		m.cfg.ID = func(p overlay.Peer) uint64 { return uint64(p) }
	}
	m.table = newTable(m.cfg.ID, 1+min(len(known), cfg.MaxMembers))
	m.refute.at = overlay.Never
	m.quota, m.quotaRoom = map[overlay.Peer]*quota{}, quotasKept
	m.table.add(record{peer: self, inc: inc, state: Alive, told: Alive, since: now, moved: now, doubted: longAgo, fell: longAgo})
	for _, e := range known {
		if m.table.find(e.Peer) == nil && len(m.table.records) < cfg.MaxMembers && e.State == Alive && e.Inc <= cfg.MaxInc {
			r := m.table.add(record{peer: e.Peer, inc: e.Inc, ref: e.Ref, state: Alive, told: Alive, since: now, proof: e.Proof, doubted: longAgo, fell: longAgo})
			m.rebase(r, &e)
		}
	}
	m.tickAt = now + overlay.Time(rng.Int64N(int64(cfg.Tick)))
	m.stepAt = now + overlay.Time(rng.Int64N(int64(cfg.CounterMin)))
	m.compareAt = now
	return m
}

// Prove gives the machine what it announces itself with. The host calls it again when
// the record changed, then gives OpTick to have it announced. The signature over the stamp is
// the host's to add to each Announce.
func (m *Machine) Prove(p *Proof) { m.proof = p }

// Step takes one input at a time that does not go back, and appends to out what to do.
// A Send to Everybody is to be broadcast; what was broadcast comes back to the other nodes as
// InMsg of nobody.
func (m *Machine) Step(now overlay.Time, in *overlay.Input[Message], out *overlay.Effects[Message]) {
	m.now, m.out = max(m.now, now), out
	if m.now >= m.tickAt+stallLeast {
		m.awake(m.now - m.tickAt)
	}
	switch in.Kind {
	case overlay.InMsg:
		m.message(in.Peer, &in.Msg)
	case overlay.InTimer:
		if in.Timer.Owner == overlay.Liveness && in.Timer.Gen == m.gen {
			m.armed = overlay.Never
		}
	case overlay.InLinkUp:
		m.linkUp(in.Peer, in.Inc)
	case overlay.InLinkDown:
		m.linkDown(in.Peer, in.Inc, in.Reason)
	case overlay.InCommand:
		m.command(&in.Cmd)
	}
	m.due()
	m.arm()
	m.out = nil
}

func (m *Machine) message(from overlay.Peer, msg *Message) {
	if m.left && msg.Kind != Ping {
		return
	}
	switch msg.Kind {
	case Announce, Records:
		m.records(from, msg)
	case Obituary:
		m.obituary(msg)
	case Doubt:
		m.doubted(from, msg)
	case Ping:
		m.say(from, Message{Kind: Pong, Nonce: msg.Nonce})
	case Pong:
		m.pong(from)
	case Ask:
		m.asked(from, msg)
	case Answer:
		m.answered(from, msg)
	case Counters:
		m.counters(from, msg)
	case Compare, Differ:
		m.compared(from, msg)
	case Table:
		m.tabled(from, msg)
	case Want:
		m.wanted(from, msg)
	case Stale:
		m.stale(from, msg)
	}
}

func (m *Machine) command(cmd *overlay.Command) {
	switch cmd.Op {
	case overlay.OpLeave:
		m.leave()
	case overlay.OpJoin:
		m.back()
	case overlay.OpForget:
		m.drop(cmd.Peer)
		m.marks.forget(cmd.Peer)
	case overlay.OpRenew:
		if !m.left {
			m.refute.raised = false // a stamp that was not said yet may have been shown on a link
			m.raise()
			m.announce(0)
		}
	case overlay.OpTick:
		m.announce(0)
	case OpTree:
		m.tree = append(m.tree[:0], cmd.Peers...)
	}
}

// due does what its time has come for.
func (m *Machine) due() {
	if m.tickAt <= m.now {
		m.tick()
	}
	if !m.pending() {
		m.sweepAt = overlay.Never
		return
	}
	if m.sweepAt == overlay.Never || m.sweepAt <= m.now {
		m.sweep()
		m.sweepAt = m.now + sweepPeriod
	}
}

// pending reports whether something waits for its time besides the tick.
func (m *Machine) pending() bool {
	return len(m.inquiries)+len(m.relays)+len(m.suspects) > 0 || min(m.refute.at, m.newsAt) != overlay.Never
}

func (m *Machine) sweep() {
	m.sweepInquiries()
	m.sweepSuspects()
	m.sweepRefutation()
	m.sweepNews()
}

func (m *Machine) tick() {
	for m.tickAt <= m.now {
		m.tickAt += m.cfg.Tick
	}
	m.health.tick(m.now)
	if m.left {
		return
	}
	m.stepCounter()
	m.passCounters()
	late := m.scanTable()
	m.sweepGuard()
	m.remind()
	m.spurned.expire(m.now)
	m.askAnew()
	m.pauseRevival()
	m.compare()
	m.pulse(late)
}

// awake: this node was not running for a while. What it did not hear then says nothing
// about others.
func (m *Machine) awake(slept overlay.Time) {
	m.stats.Stalls++
	m.health.worse(m.now)
	for i := range m.inquiries {
		m.inquiries[i].until += slept
	}
	for i := range m.table.records {
		r := &m.table.records[i]
		r.moved = min(r.moved+slept, m.now)
		if r.suspicion != nil {
			r.suspicion.since += slept
		}
	}
}

// arm keeps one timer at or before the next thing to do.
func (m *Machine) arm() {
	at := min(m.tickAt, m.sweepAt)
	if at >= m.armed {
		return
	}
	m.armed = at
	m.gen++
	m.out.Timers = append(m.out.Timers, overlay.Arm{At: at, Timer: overlay.Timer{Owner: overlay.Liveness, Gen: m.gen}})
}

func (m *Machine) say(to overlay.Peer, msg Message) {
	m.out.Sends = append(m.out.Sends, overlay.Send[Message]{To: to, Class: msg.class(), Mode: msg.mode(), Msg: msg})
}

func (m *Machine) emit(kind overlay.EventKind, r *record, why overlay.Reason) {
	m.out.Events = append(m.out.Events, overlay.Event{Kind: kind, Peer: r.peer, Inc: r.inc, Reason: why})
}

// between is a random duration from low to high.
func (m *Machine) between(low, high overlay.Time) overlay.Time {
	return low + overlay.Time(m.rng.Int64N(int64(max(high-low, 0))+1))
}

// self is the record of this node.
func (m *Machine) self() *record { return &m.table.records[0] }

// isSelf reports whether a handle is that of this node.
func (m *Machine) isSelf(p overlay.Peer) bool { return m.table.records[0].peer == p }
