package membershiphyparview

import (
	"math/rand/v2"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// mind is the machines of one Start, joined together. Nothing in it acts: what is to be
// done is collected by settle.
type mind struct {
	env  membership.Env
	book *book
	hv   *hyparview.Machine
	lv   *liveness.Machine
	now  overlay.Time
	ask  overlay.Time // for a dial
	rng  *rand.Rand

	hvOut  overlay.Effects[hyparview.Message]
	lvOut  overlay.Effects[liveness.Message]
	acts   []act
	closes []act // come last
	timers timers

	joins       map[overlay.Peer][]chan error
	failures    map[overlay.Peer]error // of the dials of those joins
	leaves      []chan error
	held        map[overlay.Peer]bool
	touched     []overlay.Peer // whether to hold the link may have changed
	onces       int            // dials for one message under way
	news        bool           // a member came that is not written down yet
	isolated    bool
	partitioned bool
}

func newMind(h *host) *mind {
	hvCfg, lvCfg := h.settings.configs()
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	m := &mind{
		env: h.env, book: h.book, now: h.now(), ask: hvCfg.Ask, rng: rng,
		joins: map[overlay.Peer][]chan error{}, failures: map[overlay.Peer]error{}, held: map[overlay.Peer]bool{},
	}
	lvCfg.ID = lifeBook{m.book}.ID
	m.book.identify(h.env.Signer.Public())
	self := m.book.self.peer
	m.hv = hyparview.New(self, h.env.Incarnation, hvCfg, rng)
	m.lv = liveness.New(lvCfg, self, h.env.Incarnation, m.now, rng, h.known)
	m.book.checks.awaits = m.lv.Awaits
	m.book.checks.knows = func(p overlay.Peer, r *member.Record) bool { return m.lv.Past(p, r.Incarnation, r.Ref) }
	if h.left {
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
	}
	return m
}

// begin arms the first timers. Links that an earlier mind had are closed, because this
// one will only hear of new ones. Who remembers members has neighbours to find.
func (m *mind) begin() {
	m.isolated = !m.hv.HasLeft() && len(m.book.candidates()) > 0
	for _, e := range m.book.linkedOnes() {
		e.linked = 0
		m.acts = append(m.acts, act{kind: actClose, node: e.node, code: overlay.Refused, text: "membership begins anew"})
	}
	m.life(overlay.Input[liveness.Message]{Kind: overlay.InTimer})
	m.view(overlay.Input[hyparview.Message]{Kind: overlay.InTimer})
}

// expire steps the machines whose timers are due.
func (m *mind) expire() {
	for t, due := m.timers.due(m.now); due; t, due = m.timers.due(m.now) {
		switch t.Owner {
		case overlay.HyParView:
			m.view(overlay.Input[hyparview.Message]{Kind: overlay.InTimer, Timer: t})
		case overlay.Liveness:
			m.book.sweep(m)
			m.life(overlay.Input[liveness.Message]{Kind: overlay.InTimer, Timer: t})
		}
		m.collect()
	}
}

// view steps hyparview. What it finds out of neighbours is told at once, so that events
// stand in the order in which things happened.
func (m *mind) view(in overlay.Input[hyparview.Message]) {
	from := len(m.hvOut.Events)
	m.hv.Step(m.now, &in, &m.hvOut)
	for i := from; i < len(m.hvOut.Events); i++ {
		m.viewEvent(&m.hvOut.Events[i])
	}
	m.collectDials()
}

// life steps liveness.
func (m *mind) life(in overlay.Input[liveness.Message]) {
	from := len(m.lvOut.Events)
	m.lv.Step(m.now, &in, &m.lvOut)
	for i := from; i < len(m.lvOut.Events); i++ {
		m.lifeEvent(&m.lvOut.Events[i])
	}
}

// link tells both machines what happened to a link.
func (m *mind) link(kind overlay.InKind, p overlay.Peer, inc uint64, why overlay.Reason) {
	m.view(overlay.Input[hyparview.Message]{Kind: kind, Peer: p, Inc: inc, Reason: why})
	m.life(overlay.Input[liveness.Message]{Kind: kind, Peer: p, Inc: inc, Reason: why})
}

// neighbours are those of the active view, sorted.
func (m *mind) neighbours() []name.Node { return m.nodes(m.hv.Active(nil)) }

// nodes are the names of some peers, sorted.
func (m *mind) nodes(peers []overlay.Peer) []name.Node {
	nodes := make([]name.Node, 0, len(peers))
	for _, p := range peers {
		if e := m.book.node(p); e != nil {
			nodes = append(nodes, e.node)
		}
	}
	slices.SortFunc(nodes, name.Node.Compare)
	return nodes
}
