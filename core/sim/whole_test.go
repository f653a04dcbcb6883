package sim_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/core/sim"
)

// word is what whole nodes send each other: exactly one of the four.
type word struct {
	hv *hyparview.Message
	pt *plumtree.Message
	lv *liveness.Message
	rg []byte
}

func (w word) Size() int {
	switch {
	case w.hv != nil:
		return w.hv.Size()
	case w.pt != nil:
		return w.pt.Size()
	case w.rg != nil:
		return len(w.rg)
	}
	return w.lv.Size()
}

func (w word) Digest() uint64 {
	switch {
	case w.hv != nil:
		return w.hv.Digest()
	case w.pt != nil:
		m := w.pt
		h := sim.Mix(uint64(m.Kind)<<32|uint64(m.Version), uint64(m.Round)<<32|uint64(len(m.List)))
		return sim.Mix(sim.Mix(h, m.ID.Origin), m.ID.Seq)
	case w.rg != nil:
		return sim.Mix(uint64(len(w.rg)), uint64(w.rg[len(w.rg)/2]))
	}
	m := w.lv
	h := sim.Mix(uint64(m.Kind), uint64(m.Peer)<<32|uint64(m.Nonce))
	return sim.Mix(h, uint64(len(m.Counts))<<32|uint64(len(m.Entries)))
}

// whole is a node as production puts it together: who are my neighbours, how does a
// message reach everybody, who is alive, who offers what. The last two are optional.
type whole struct {
	self overlay.Peer
	inc  uint64
	hv   *hyparview.Machine
	pt   *plumtree.Machine
	lv   *liveness.Machine
	rg   *clerk

	hvIn  overlay.Input[hyparview.Message]
	ptIn  overlay.Input[plumtree.Message]
	lvIn  overlay.Input[liveness.Message]
	hvOut overlay.Effects[hyparview.Message]
	ptOut overlay.Effects[plumtree.Message]
	lvOut overlay.Effects[liveness.Message]
	now   overlay.Time
	out   *overlay.Effects[word]

	tree  []overlay.Peer // the edges of pt, when it had made so many turns
	turns uint64

	loses func(*word) bool // of what comes in; nil: nothing
	liar  *liar            // nil: it is honest
}

// gossipOfLife is the key of broadcasts that are for liveness.
const gossipOfLife = 1 << 63

// lifeProof stands for the record and the signature that a host would add.
func lifeProof() *liveness.Proof {
	return &liveness.Proof{Record: make([]byte, 96), Sig: make([]byte, 64)}
}

func (n *whole) Step(now overlay.Time, in *overlay.Input[word], out *overlay.Effects[word]) {
	n.now, n.out = now, out
	switch in.Kind {
	case overlay.InMsg:
		n.message(in)
	case overlay.InTimer:
		n.timer(in.Timer)
	case overlay.InCommand:
		n.command(in.Cmd)
	default:
		n.link(in)
	}
	for _, c := range n.hvOut.Closes { // nobody else tells this end
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InLinkDown, Peer: c.Peer, Inc: math.MaxUint64, Reason: overlay.Dropped})
	}
	overlay.Move(out, &n.hvOut, func(m hyparview.Message) word { return word{hv: &m} })
	overlay.Move(out, &n.ptOut, func(m plumtree.Message) word { return word{pt: &m} })
	overlay.Move(out, &n.lvOut, func(m liveness.Message) word { return word{lv: &m} })
}

func (n *whole) message(in *overlay.Input[word]) {
	switch {
	case n.loses != nil && n.loses(&in.Msg):
	case in.Msg.hv != nil:
		n.member(overlay.Input[hyparview.Message]{Kind: in.Kind, Peer: in.Peer, Inc: in.Inc, Msg: *in.Msg.hv})
	case in.Msg.pt != nil:
		if n.liar != nil {
			n.liar.count(in.Msg.pt)
		}
		n.broadcast(overlay.Input[plumtree.Message]{Kind: in.Kind, Peer: in.Peer, Inc: in.Inc, Msg: *in.Msg.pt})
	case in.Msg.rg != nil:
		n.keep(replica.Input{Kind: replica.Frame, Node: n.rg.book.name(in.Peer), Data: in.Msg.rg})
	case n.lv != nil:
		if n.liar != nil {
			n.liar.hear(in.Msg.lv)
		}
		n.life(overlay.Input[liveness.Message]{Kind: in.Kind, Peer: in.Peer, Inc: in.Inc, Msg: verified(*in.Msg.lv)})
	}
}

func (n *whole) timer(t overlay.Timer) {
	switch t.Owner {
	case overlay.HyParView:
		n.member(overlay.Input[hyparview.Message]{Kind: overlay.InTimer, Timer: t})
	case overlay.Plumtree:
		n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InTimer, Timer: t})
	case overlay.Liveness:
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: liveness.OpTree, Peers: n.eager()}})
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InTimer, Timer: t})
	case overlay.Custom:
		n.keep(replica.Input{Kind: replica.Tick})
	}
}

// eager is the tree as pt has it.
func (n *whole) eager() []overlay.Peer {
	if turns := n.pt.Turns(); turns != n.turns {
		n.tree, n.turns = n.pt.Eager(), turns
	}
	return n.tree
}

func (n *whole) command(c overlay.Command) {
	switch c.Op {
	case opWrite:
		n.write(c)
		return
	case opLie:
		n.lie()
		return
	case opClaim:
		n.claim(c.Peer)
		return
	case overlay.OpRenew:
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: c})
		return
	case overlay.OpBroadcast, overlay.OpSlow, overlay.OpFast:
		n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InCommand, Cmd: c})
		return
	case overlay.OpLeave, overlay.OpJoin:
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: c})
	}
	n.member(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: c})
}

func (n *whole) link(in *overlay.Input[word]) {
	n.member(overlay.Input[hyparview.Message]{Kind: in.Kind, Reason: in.Reason, Peer: in.Peer, Inc: in.Inc})
	n.life(overlay.Input[liveness.Message]{Kind: in.Kind, Reason: in.Reason, Peer: in.Peer, Inc: in.Inc})
	if n.lv != nil && in.Kind == overlay.InLinkUp {
		n.introduce(in.Peer)
	}
}

// introduce shows a peer what proves that this node is a member, as hosts do first.
func (n *whole) introduce(p overlay.Peer) {
	ref, left := n.lv.Stamp()
	if left {
		return
	}
	own := liveness.Entry{Peer: n.self, State: liveness.Alive, Inc: n.inc, Ref: ref, Proof: lifeProof()}
	msg := liveness.Message{Kind: liveness.Records, Entries: []liveness.Entry{own}}
	n.lvOut.Sends = append(n.lvOut.Sends, overlay.Send[liveness.Message]{To: p, Class: overlay.Membership, Mode: overlay.Stream, Msg: msg})
}

// member steps hyparview; its neighbours are plumtree's.
func (n *whole) member(in overlay.Input[hyparview.Message]) {
	n.hvIn = in
	from := len(n.hvOut.Events)
	n.hv.Step(n.now, &n.hvIn, &n.hvOut)
	for _, e := range n.hvOut.Events[from:] {
		switch e.Kind {
		case overlay.PeerUp:
			n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InLinkUp, Peer: e.Peer})
			n.near(replica.PeerUp, e.Peer)
		case overlay.PeerDown:
			n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InLinkDown, Peer: e.Peer})
			n.near(replica.PeerDown, e.Peer)
		}
	}
}

// broadcast steps plumtree; some of what it delivers is for liveness.
func (n *whole) broadcast(in overlay.Input[plumtree.Message]) {
	n.ptIn = in
	from := len(n.ptOut.Events)
	n.pt.Step(n.now, &n.ptIn, &n.ptOut)
	for i := from; i < len(n.ptOut.Events); i++ {
		e := n.ptOut.Events[i]
		n.hearsay(&e)
		if e.Key != gossipOfLife || e.Kind != overlay.Deliver || e.Peer == overlay.Nobody {
			continue
		}
		msg, err := liveness.Decode(e.Data, names{})
		if err != nil {
			panic(err)
		}
		n.life(overlay.Input[liveness.Message]{Kind: overlay.InMsg, Msg: verified(msg)})
	}
}

// life steps liveness; what is for everybody is broadcast.
func (n *whole) life(in overlay.Input[liveness.Message]) {
	if n.lv == nil {
		return
	}
	n.lvIn = in
	sends, events := len(n.lvOut.Sends), len(n.lvOut.Events)
	n.lv.Step(n.now, &n.lvIn, &n.lvOut)
	kept := n.lvOut.Sends[:sends]
	var said [][]byte
	for _, s := range n.lvOut.Sends[sends:] {
		if s.To == liveness.Everybody {
			said = append(said, liveness.Append(nil, &s.Msg, names{}))
		} else {
			kept = append(kept, s)
		}
	}
	n.lvOut.Sends = kept
	for _, e := range n.lvOut.Events[events:] {
		n.fate(&e)
		switch e.Kind {
		case overlay.MemberDown:
			n.member(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpDown, Peer: e.Peer}})
		case overlay.Unheard:
			n.member(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpReach, Peers: []overlay.Peer{e.Peer}}})
		}
	}
	for _, data := range said {
		n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpBroadcast, Key: gossipOfLife, Data: data}})
	}
}

func (n *whole) Check() error {
	if err := n.hv.Check(); err != nil {
		return fmt.Errorf("hyparview: %w", err)
	}
	if err := n.pt.Check(); err != nil {
		return fmt.Errorf("plumtree: %w", err)
	}
	if n.lv != nil {
		if err := n.lv.Check(); err != nil {
			return fmt.Errorf("liveness: %w", err)
		}
	}
	return nil
}

func (n *whole) Active(into []overlay.Peer) []overlay.Peer  { return n.hv.Active(into) }
func (n *whole) Passive(into []overlay.Peer) []overlay.Peer { return n.hv.Passive(into) }

// names is what a host knows of handles, in a world in which they are the same
// everywhere and nobody lies.
type names struct{}

func (names) ID(p overlay.Peer) uint64    { return uint64(p) }
func (names) Peer(id uint64) overlay.Peer { return overlay.Peer(id) }
func (names) Prove(id uint64, e *liveness.Entry) {
	e.Peer, e.Verified = overlay.Peer(id), true
}

// verified is what a host does that finds all signatures good.
func verified(m liveness.Message) liveness.Message {
	m.Verified = true
	m.Entries = slices.Clone(m.Entries)
	for i := range m.Entries {
		m.Entries[i].Verified = m.Entries[i].Proof != nil
	}
	return m
}

// codec encodes and decodes what has an encoding here, and compares.
func codec(w *word) error {
	switch {
	case w.pt != nil:
		got, err := plumtree.Decode(plumtree.Append(nil, w.pt))
		if err == nil && !reflect.DeepEqual(plain(got), plain(*w.pt)) {
			err = fmt.Errorf("%+v became %+v", *w.pt, got)
		}
		return err
	case w.lv != nil:
		data := liveness.Append(nil, w.lv, names{})
		got, err := liveness.Decode(data, names{})
		if err == nil && !reflect.DeepEqual(proven(got), proven(*w.lv)) {
			err = fmt.Errorf("%+v became %+v", *w.lv, got)
		}
		if err == nil && len(data) != w.lv.Size() {
			err = fmt.Errorf("%s of %d bytes has size %d", w.lv.Kind, len(data), w.lv.Size())
		}
		return err
	}
	return nil
}

// plain takes no slice and an empty slice for the same.
func plain(m plumtree.Message) plumtree.Message {
	if len(m.List) == 0 {
		m.List = nil
	}
	if len(m.Data) == 0 {
		m.Data = nil
	}
	return m
}

// proven takes away what the receiving host adds.
func proven(m liveness.Message) liveness.Message {
	if len(m.Sig) == 0 {
		m.Sig = nil
	}
	entries := append([]liveness.Entry(nil), m.Entries...)
	for i := range entries {
		entries[i].Verified = false
	}
	m.Entries = entries
	return m
}
