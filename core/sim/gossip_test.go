package sim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/sim"
)

// gossip is about the simplest machine there is: it keeps links to whom it was told to
// join, and passes on what it hears for the first time.
type gossip struct {
	self  overlay.Peer
	peers []overlay.Peer
	heard []uint64
	ticks int
}

type rumour struct {
	Key   uint64
	Round uint32
}

func (rumour) Size() int        { return 12 }
func (r rumour) Digest() uint64 { return sim.Mix(uint64(r.Round), r.Key) }

func (g *gossip) Step(now overlay.Time, in *overlay.Input[rumour], out *overlay.Effects[rumour]) {
	switch in.Kind {
	case overlay.InCommand:
		switch in.Cmd.Op {
		case overlay.OpJoin:
			out.Dials = append(out.Dials, in.Cmd.Peer)
		case overlay.OpBroadcast:
			g.hear(rumour{Key: in.Cmd.Key}, g.self, out)
		case overlay.OpTick:
			out.Timers = append(out.Timers, overlay.Arm{At: now + time.Second, Timer: overlay.Timer{Owner: overlay.Custom}})
		}
	case overlay.InLinkUp:
		if !slices.Contains(g.peers, in.Peer) {
			g.peers = append(g.peers, in.Peer)
		}
	case overlay.InLinkDown:
		g.peers = slices.DeleteFunc(g.peers, func(p overlay.Peer) bool { return p == in.Peer })
		out.Events = append(out.Events, overlay.Event{Kind: overlay.PeerDown, Peer: in.Peer, Inc: in.Inc, Reason: in.Reason})
	case overlay.InMsg:
		g.hear(in.Msg, in.Peer, out)
	case overlay.InTimer:
		g.ticks++
	}
}

func (g *gossip) hear(r rumour, from overlay.Peer, out *overlay.Effects[rumour]) {
	if slices.Contains(g.heard, r.Key) {
		return
	}
	g.heard = append(g.heard, r.Key)
	out.Events = append(out.Events, overlay.Event{Kind: overlay.Deliver, Peer: from, Key: r.Key, Round: r.Round})
	for _, p := range g.peers {
		if p != from {
			out.Sends = append(out.Sends, overlay.Send[rumour]{To: p, Class: overlay.Payload, Msg: rumour{r.Key, r.Round + 1}})
		}
	}
}

func (g *gossip) Check() error {
	if slices.Contains(g.peers, g.self) {
		return errors.New("knows itself")
	}
	return nil
}

func (g *gossip) Active(into []overlay.Peer) []overlay.Peer  { return append(into, g.peers...) }
func (g *gossip) Passive(into []overlay.Peer) []overlay.Peer { return into }

// line is a world in which node n+1 has joined node n.
func line(nodes int, cfg sim.Config[rumour]) (*sim.World[rumour], *sim.Broadcasts) {
	seen := sim.NewBroadcasts()
	cfg.Nodes, cfg.Check, cfg.Observe = nodes, true, seen.Observe
	cfg.New = func(b sim.Boot) sim.Node[rumour] { return &gossip{self: b.Self} }
	w := sim.New(cfg)
	w.StartAll()
	for p := 2; p <= nodes; p++ {
		w.Command(overlay.Peer(p), overlay.Command{Op: overlay.OpJoin, Peer: overlay.Peer(p - 1)})
	}
	w.Settle(time.Minute)
	return w, seen
}

func say(w *sim.World[rumour], p overlay.Peer, key uint64) {
	w.Command(p, overlay.Command{Op: overlay.OpBroadcast, Key: key})
	w.Settle(time.Minute)
}

func TestEverybodyHears(t *testing.T) {
	w, seen := line(10, sim.Config[rumour]{Seed: 1})
	say(w, 1, 7)
	if b := seen.Of(7); b.Delivered != 10 || b.LastHop != 9 || b.Last-b.First != 9*time.Millisecond {
		t.Fatalf("%+v", b)
	}
	if got := w.Totals()[overlay.Payload]; got.Messages != 9 || got.Bytes != 9*12 {
		t.Fatalf("%+v", got)
	}
	if f := w.Graph().Flood(1); f.Reached != 10 || f.LastHop != 9 || f.RMR() != 0 {
		t.Fatalf("%+v", f)
	}
}
