package plumtree

import (
	"math"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Limits that are not the user's business.
const (
	maxList     = 256                    // announcements in one message
	maxGreeting = 256                    // messages told to a new neighbour
	retell      = 200 * time.Millisecond // between two answers to a peer that is behind on the state of a link
)

// Machine is the broadcast of one node. It is not safe for concurrent use.
type Machine struct {
	cfg     Config
	origin  uint64
	life    uint64
	seq     uint64
	now     overlay.Time
	links   []*link // in the order in which they came
	seen    seen
	cache   cache
	missing missing
	flushAt overlay.Time
	armed   overlay.Time
	gen     uint32
	turns   uint64
	stats   Stats
	out     *overlay.Effects[Message]
}

// New makes a machine without neighbours. origin is the number of this node, which no
// other node has, life its incarnation.
func New(cfg Config, origin, life uint64) *Machine {
	return &Machine{
		cfg: cfg, origin: origin, life: life, now: math.MinInt64 / 4, flushAt: overlay.Never, armed: overlay.Never,
		seen:    newSeen(cfg.MaxOrigins),
		cache:   newCache(cfg.CacheBytes, cfg.CacheCount, cfg.CacheAge),
		missing: newMissing(),
	}
}

// Step takes one input at a time that does not go back, and appends to out what to do.
func (m *Machine) Step(now overlay.Time, in *overlay.Input[Message], out *overlay.Effects[Message]) {
	m.now, m.out = max(m.now, now), out
	switch in.Kind {
	case overlay.InMsg:
		m.message(in.Peer, &in.Msg)
	case overlay.InTimer:
		if in.Timer.Owner == overlay.Plumtree && in.Timer.Gen == m.gen {
			m.armed = overlay.Never
		}
	case overlay.InLinkUp:
		m.up(in.Peer)
	case overlay.InLinkDown:
		m.down(in.Peer)
	case overlay.InCommand:
		m.command(&in.Cmd)
	}
	m.due()
	m.arm()
	m.out = nil
}

func (m *Machine) message(from overlay.Peer, msg *Message) {
	l := m.find(from)
	if l != nil {
		m.merge(l, msg.Version, msg.Eager)
	}
	switch msg.Kind {
	case Gossip:
		m.gossip(from, l, msg)
	case IHave:
		m.announced(from, l, msg)
	case Graft:
		m.grafted(from, l, msg)
	case Prune:
		m.stats.PrunesIn++
	case Gone:
		m.gone(from, msg)
	}
	if l != nil && msg.Kind != Gossip {
		m.catchUp(l, msg.Version, msg.Eager)
	}
}

func (m *Machine) command(cmd *overlay.Command) {
	switch cmd.Op {
	case overlay.OpBroadcast:
		m.broadcast(cmd.Key, cmd.Data)
	case overlay.OpSlow:
		m.slow(cmd.Peer)
	case overlay.OpFast:
		m.fast(cmd.Peer)
	}
}

// due does what its time has come for.
func (m *Machine) due() {
	if m.missing.next() <= m.now {
		m.chase()
	}
	if m.flushAt <= m.now {
		m.flush()
	}
	if m.cache.sweepAt <= m.now {
		m.stats.Expired += uint64(m.cache.sweep(m.now))
	}
}

// arm keeps one timer at or before the next thing to do.
func (m *Machine) arm() {
	at := min(m.flushAt, m.missing.next(), m.cache.sweepAt)
	if at >= m.armed {
		return
	}
	m.armed = at
	m.gen++
	m.out.Timers = append(m.out.Timers, overlay.Arm{At: at, Timer: overlay.Timer{Owner: overlay.Plumtree, Gen: m.gen}})
}

// send says something to a neighbour, and with it what this end takes the link for.
func (m *Machine) send(l *link, msg Message) {
	msg.Eager, msg.Version = l.eager, l.version
	m.out.Sends = append(m.out.Sends, overlay.Send[Message]{To: l.peer, Class: msg.class(), Mode: overlay.Stream, Msg: msg})
	m.stats.sent(&msg)
}
