package hyparview

import (
	"math/rand/v2"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Machine is the membership of one node. It is not safe for concurrent use.
type Machine struct {
	// What every step touches lies together: there may be very many machines.
	self    overlay.Peer
	left    bool
	rng     *rand.Rand
	now     overlay.Time
	out     *overlay.Effects[Message]
	active  []neighbour
	near    [inline]neighbour // where active lies, unless it is large
	passive pool
	asks    []ask
	cfg     Config
	inc     uint64
	memory  []remembered
	forced  []favour // admitted at the price of others
	rushed  []favour // for whose sake somebody was asked at once

	refused   int          // requests in a row that were refused
	pause     overlay.Time // no refill before
	shuffled  Message      // what the last own shuffle carried
	merged    overlay.Time // no peer is forced for being out of reach before
	awaited   overlay.Time // until when its reply is welcome
	shuffling gate
	refilling gate
	reaching  gate
	rejoining gate
	gen       uint32
	rejected  uint64
}

const (
	inline  = 6
	longAgo = -overlay.Never
)

// neighbour is a peer of the active view.
type neighbour struct {
	peer  overlay.Peer
	inc   uint64
	taken overlay.Time // up to when what it shuffled is accounted for
}

// New makes a machine that knows nobody. rng is its only source of chance; it keeps it.
func New(self overlay.Peer, inc uint64, cfg Config, rng *rand.Rand) *Machine {
	cfg.Active = min(max(cfg.Active, 1), MaxActive)
	cfg.ShuffleActive = min(cfg.ShuffleActive, MaxIDs-1)
	cfg.ShufflePassive = min(cfg.ShufflePassive, MaxIDs-1-cfg.ShuffleActive)
	m := &Machine{cfg: cfg, self: self, inc: inc, rng: rng}
	m.active = m.near[:0:inline]
	m.now, m.pause, m.merged, m.awaited = longAgo, longAgo, longAgo, longAgo
	return m
}

// Step takes one input at a time that does not go back, and appends what to do.
func (m *Machine) Step(now overlay.Time, in *overlay.Input[Message], out *overlay.Effects[Message]) {
	m.now, m.out = max(m.now, now), out
	switch in.Kind {
	case overlay.InMsg:
		m.message(in)
	case overlay.InTimer:
		m.timer(in.Timer)
	case overlay.InLinkUp:
		m.linkUp(in.Peer, in.Inc)
	case overlay.InLinkDown:
		m.linkDown(in.Peer, in.Inc, in.Reason)
	case overlay.InDialFailed:
		m.dialFailed(in.Peer, in.Reason)
	case overlay.InCommand:
		m.command(&in.Cmd)
	}
	m.refill()
	m.out = nil
}

func (m *Machine) command(c *overlay.Command) {
	switch c.Op {
	case overlay.OpJoin:
		m.join(c.Peer)
	case overlay.OpLeave:
		m.leave()
	case overlay.OpContacts:
		m.contacts(c.Peers)
	case overlay.OpReach:
		m.reachFor(c.Peers)
	case overlay.OpDown:
		m.down(c.Peer)
	case overlay.OpForget:
		m.erase(c.Peer)
	case overlay.OpTick:
		m.shuffle()
	}
}

// message takes what a peer says, if it can be true.
func (m *Machine) message(in *overlay.Input[Message]) {
	p, msg := in.Peer, &in.Msg
	i := m.neighbourAt(p)
	switch {
	case p == m.self || p == overlay.Nobody || i >= 0 && in.Inc < m.active[i].inc:
		m.rejected++
		return
	case i >= 0 && in.Inc > m.active[i].inc:
		m.lost(i, overlay.Lost)
		i = -1
	}
	switch {
	case msg.Kind == Join:
		m.onJoin(p, in.Inc)
	case msg.Kind == Neighbor:
		m.onNeighbor(p, in.Inc, msg.Flags)
	case msg.Kind == Reply:
		m.onReply(p, in.Inc, msg.Flags)
	case msg.Kind == Disconnect:
		m.onDisconnect(i, p, msg)
	case msg.Kind == ShuffleReply:
		m.onShuffleReply(msg)
	case msg.Kind == ForwardJoin && i >= 0:
		m.onForwardJoin(p, msg)
	case msg.Kind == Shuffle && i >= 0:
		m.onShuffle(p, msg)
	default:
		m.rejected++
	}
}

func (m *Machine) send(to overlay.Peer, mode overlay.Mode, msg Message) {
	m.out.Sends = append(m.out.Sends, overlay.Send[Message]{To: to, Class: msg.class(), Mode: mode, Msg: msg})
}

func (m *Machine) say(to overlay.Peer, msg Message) { m.send(to, overlay.Stream, msg) }

func (m *Machine) emit(kind overlay.EventKind, p overlay.Peer, inc uint64, why overlay.Reason) {
	m.out.Events = append(m.out.Events, overlay.Event{Kind: kind, Peer: p, Inc: inc, Reason: why})
}

// hangUp lets the link to a peer go that is no neighbour and is not asked anything.
func (m *Machine) hangUp(p overlay.Peer, why overlay.Reason) {
	m.out.Closes = append(m.out.Closes, overlay.Close{Peer: p, Reason: why})
}

// around is a random duration within a quarter of d.
func (m *Machine) around(d overlay.Time) overlay.Time {
	return d - d/4 + overlay.Time(m.rng.Int64N(int64(d/2)+1))
}
