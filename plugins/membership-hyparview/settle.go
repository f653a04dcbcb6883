package membershiphyparview

import (
	"math"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// settle returns all that is to be done after a step: events as they happened, dials
// and sends, then which links to hold, then which to let go.
func (m *mind) settle() []act {
	m.collect()
	m.tidy()
	acts := append(m.acts, m.closes...)
	m.acts, m.closes = nil, nil
	return acts
}

// collect turns what the machines asked for into acts, until they ask for no more.
func (m *mind) collect() {
	for again := true; again; {
		m.voids()
		m.reseal()
		again = m.collectView()
		again = m.collectLife() || again || len(m.book.voided) > 0
	}
}

// voids tells the machines which numbers are nobody's any more, because their name is
// another's.
func (m *mind) voids() {
	for len(m.book.voided) > 0 {
		e := m.book.voided[0]
		m.book.voided = m.book.voided[1:]
		m.book.byPeer[e.peer] = e // for as long as the machines speak of it
		cmd := overlay.Command{Op: overlay.OpForget, Peer: e.peer}
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: cmd})
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: cmd})
		delete(m.book.byPeer, e.peer)
		delete(m.held, e.peer)
	}
	for _, e := range m.book.events {
		m.acts = append(m.acts, act{kind: actEmit, event: e})
	}
	m.book.events = nil
}

// reseal signs this node's record anew if it has to say something else by now. That it
// can be dialed somewhere else takes a higher stamp: of two records with the same one,
// others keep the first.
func (m *mind) reseal() {
	now := clip(m.env.Network.Self())
	if m.book.self.sealed != nil && !slices.Equal(now, m.book.self.endpoints) {
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpRenew}})
	}
	ref, left := m.lv.Stamp()
	if m.book.sealSelf(ref, left, now) {
		m.lv.Prove(m.ownProof())
	}
}

func (m *mind) ownProof() *liveness.Proof {
	sealed := m.book.self.sealed
	n := len(sealed) - member.SigSize
	return &liveness.Proof{Record: sealed[:n:n], Sig: sealed[n:]}
}

// collectDials comes first: a link that is there already answers at once.
func (m *mind) collectDials() {
	dials := slices.Clone(m.hvOut.Dials)
	m.hvOut.Dials = m.hvOut.Dials[:0]
	for _, p := range dials {
		e := m.book.node(p)
		if e == nil {
			continue
		}
		m.hold(e, m.hv.Wants(p)) // before there is a link that could be let go
		m.acts = append(m.acts, act{kind: actDial, peer: p, node: e.node, known: clip(e.endpoints), timeout: m.ask})
	}
}

// collectView does so for hyparview; false if it asked for nothing.
func (m *mind) collectView() bool {
	out := m.hvOut
	m.hvOut = overlay.Effects[hyparview.Message]{}
	m.timers.arm(out.Timers)
	for i := range out.Sends {
		s := &out.Sends[i]
		m.sendTo(s.To, s.Mode, hyparview.Encode(nil, &s.Msg, viewBook{m.book}))
	}
	for _, c := range out.Closes {
		m.letGo(c)
	}
	if out.Discover {
		m.discover()
	}
	return len(out.Closes) > 0 || out.Discover
}

// letGo closes a link, or only says that it is not needed here. Such a link stays one
// for liveness: it may be needed again, by either end, before it is closed.
func (m *mind) letGo(c overlay.Close) {
	m.touched = append(m.touched, c.Peer)
	if !gentle(c.Reason) {
		m.life(overlay.Input[liveness.Message]{Kind: overlay.InLinkDown, Peer: c.Peer, Inc: math.MaxUint64, Reason: overlay.Dropped})
	}
	if e := m.book.node(c.Peer); e != nil {
		if !gentle(c.Reason) {
			e.linked = 0 // its LinkDown is no news
		}
		m.closes = append(m.closes, act{kind: actClose, node: e.node, code: c.Reason, text: "no neighbour any more"})
	}
}

// gentle: the link may stay if others need it.
func gentle(why overlay.Reason) bool { return why == overlay.Dropped || why == overlay.Idle }

// collectLife does so for liveness; false if it asked for nothing.
func (m *mind) collectLife() bool {
	out := m.lvOut
	m.lvOut = overlay.Effects[liveness.Message]{}
	m.timers.arm(out.Timers)
	for i := range out.Sends {
		s := &out.Sends[i]
		data := m.encodeLife(&s.Msg)
		if s.To == liveness.Everybody {
			m.acts = append(m.acts, act{kind: actBroadcast, data: data})
		} else {
			m.sendTo(s.To, s.Mode, data)
		}
	}
	return false
}

// encodeLife encodes a message of liveness with what this node has to sign in it.
func (m *mind) encodeLife(msg *liveness.Message) []byte {
	out := *msg
	for i := range out.Entries {
		if e := &out.Entries[i]; e.Peer == m.book.self.peer && e.Proof != nil {
			out.Entries = slices.Clone(out.Entries)
			out.Entries[i].Proof = m.ownProof()
			break
		}
	}
	names := lifeBook{m.book}
	if out.Kind == liveness.Obituary {
		out.Sig = nil
		sig := m.env.Signer.Sign(liveness.Append(nil, &out, names))
		out.Sig = sig[:]
	}
	return liveness.Append(nil, &out, names)
}

// maxOnces bounds the links that are made for one message at a time.
const maxOnces = 32

func (m *mind) sendTo(p overlay.Peer, mode overlay.Mode, frame []byte) {
	e := m.book.node(p)
	switch {
	case e == nil:
	case e.linked > 0 || mode != overlay.Once:
		m.acts = append(m.acts, act{kind: actSend, node: e.node, data: frame})
	case m.onces < maxOnces:
		m.onces++
		m.acts = append(m.acts, act{kind: actOnce, node: e.node, known: clip(e.endpoints), data: frame, timeout: m.ask})
	}
}

// discover answers hyparview's question for contacts from what is known here. The
// contacts of the configuration knock by themselves.
func (m *mind) discover() {
	m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpContacts, Peers: m.contacts()}})
}

// contacts are some of those remembered, by chance; first of those that this node had a link to,
// as the others may have been invented.
func (m *mind) contacts() []overlay.Peer {
	peers := m.book.candidates()
	m.rng.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	var first, others []overlay.Peer
	for _, p := range peers {
		if m.book.node(p).proved && len(first) < maxContacts/2 {
			first = append(first, p)
		} else {
			others = append(others, p)
		}
	}
	return append(first, others[:min(len(others), maxContacts-len(first))]...)
}

// maxContacts is how many remembered members are offered at a time.
const maxContacts = 32

// tidy holds the links that hyparview wants, and no others.
func (m *mind) tidy() {
	for _, p := range m.touched {
		if e := m.book.node(p); e != nil {
			m.hold(e, m.hv.Wants(p))
		}
	}
	m.touched = m.touched[:0]
}

func (m *mind) hold(e *entry, want bool) {
	if want == m.held[e.peer] {
		return
	}
	if want {
		m.held[e.peer] = true
	} else {
		delete(m.held, e.peer)
	}
	m.acts = append(m.acts, act{kind: actHold, node: e.node, hold: want})
}
