package inbox

import (
	"fmt"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func opened() *Box[string] {
	b := New[string]()
	b.Open()
	return b
}

func peerNamed(base string) membership.Peer {
	return membership.Peer{Node: name.MustNode(base + "@h"), Incarnation: 1}
}

func frameFrom(base string, data ...byte) membership.Input {
	return membership.Input{Kind: membership.Frame, Peer: peerNamed(base), Data: data}
}

func drained(b *Box[string]) []Parcel[string] {
	var all []Parcel[string]
	for p, ok := b.Take(); ok; p, ok = b.Take() {
		all = append(all, p)
	}
	return all
}

func TestQueuesTakeTurns(t *testing.T) {
	b := opened()
	b.Put(frameFrom("a", '1'))
	b.Put(frameFrom("a", '2'))
	b.Put(membership.Input{Kind: membership.Broadcast, Data: []byte("x")})
	b.Put(frameFrom("b", '3'))
	b.Put(membership.Input{Kind: membership.Broadcast, Peer: peerNamed("a"), Data: []byte("y")})
	b.Put(membership.Input{Kind: membership.Tree})
	b.Put(membership.Input{Kind: membership.Tree, Nodes: []name.Node{name.MustNode("t@h")}}) // the latest counts
	b.Add("own")
	b.Put(membership.Input{Kind: membership.Frame}) // from nobody
	got := ""
	for _, p := range drained(b) {
		switch {
		case p.Own != nil:
			got += *p.Own + " "
		case p.Input.Kind == membership.Tree:
			got += p.Input.Nodes[0].Base() + " "
		default:
			got += string(p.Input.Data) + " "
		}
	}
	if want := "1 x 3 t own 2 y "; got != want {
		t.Errorf("taken %q, want %q", got, want)
	}
	if len(b.peers) != 0 {
		t.Errorf("%d peers are remembered by an empty box", len(b.peers))
	}
}

// TestFramesAreBounded: a flood costs bounded memory, is reported once a link, and does
// not hide that the link is down.
func TestFramesAreBounded(t *testing.T) {
	b := opened()
	for range 3 {
		for range 10 * maxFrames {
			b.Put(frameFrom("flood", make([]byte, 100)...))
		}
		b.Put(frameFrom("calm", 1))
		frames, kicked := 0, 0
		for _, p := range drained(b) {
			switch {
			case p.TooFast.Base() == "flood":
				kicked++
			case p.Input.Peer.Node.Base() == "flood":
				frames++
			}
		}
		if frames != maxFrames || kicked != 1 {
			t.Errorf("%d frames and %d reports of a flood, want %d and 1", frames, kicked, maxFrames)
		}
		b.Put(frameFrom("flood", 1))
		if got := drained(b); len(got) != 0 {
			t.Errorf("%d more after the report, want none until the link is down", len(got))
		}
		b.Put(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("flood"), Code: transport.CloseBusy})
		if got := drained(b); len(got) != 1 || got[0].Input.Code != transport.CloseBusy {
			t.Errorf("after the link fell: %+v", got)
		}
	}
	b.Put(frameFrom("big", make([]byte, maxBytes)...))
	b.Put(frameFrom("big", 1))
	if got := drained(b); len(got) != 2 || got[1].TooFast.IsZero() {
		t.Errorf("%d parcels for more bytes than may wait, want the first frame and a report", len(got))
	}
}

// TestAPeerIsRenewed: who was too fast is heard again after its link has seemed to change,
// and not if it has changed by itself.
func TestAPeerIsRenewed(t *testing.T) {
	b := opened()
	flood := func() {
		for range maxFrames + 1 {
			b.Put(frameFrom("flood", 1))
		}
		if got := drained(b); got[len(got)-1].TooFast.IsZero() {
			t.Fatal("not reported")
		}
	}
	flood()
	b.Renew(peerNamed("flood").Node)
	b.Put(frameFrom("flood", 2))
	got := drained(b)
	if len(got) != 3 || got[0].Input.Kind != membership.LinkDown || got[1].Input.Kind != membership.LinkUp || got[2].Input.Kind != membership.Frame {
		t.Errorf("after Renew came %+v, want the link down and up, and the frame", got)
	}
	flood()
	b.Put(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("flood")})
	b.Renew(peerNamed("flood").Node)
	b.Renew(peerNamed("unknown").Node)
	if got := drained(b); len(got) != 1 || got[0].Input.Kind != membership.LinkDown {
		t.Errorf("after the link fell by itself came %+v", got)
	}
}

// TestMovesAreBounded: of a link that moves unseen the last place remains, and what came
// with it stays in order.
func TestMovesAreBounded(t *testing.T) {
	b := opened()
	moved := func(times int) {
		for i := range times {
			peer := peerNamed("nomad")
			peer.Remote = name.MustAddress(fmt.Sprintf("10.0.0.1:%d", i+1))
			b.Put(membership.Input{Kind: membership.LinkMoved, Peer: peer})
		}
	}
	for range maxFrames + 1 {
		b.Put(frameFrom("nomad", 1))
	}
	moved(9)
	got := drained(b)
	if len(got) != maxFrames+2 || got[maxFrames].Input.Kind != membership.LinkMoved || got[maxFrames+1].TooFast.IsZero() {
		t.Errorf("%d parcels for a link that moved and was too fast, want a move and the report", len(got))
	}
	b.Put(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("nomad")})
	b.Put(membership.Input{Kind: membership.LinkUp, Peer: peerNamed("nomad")})
	b.Put(frameFrom("nomad", 2))
	moved(10000)
	got = drained(b)
	if len(got) != 3 || got[1].Input.Kind != membership.LinkUp || got[1].Input.Peer.Remote.String() != "10.0.0.1:10000" {
		t.Errorf("%+v, want a link that is up where it moved last", got)
	}
}

func TestBroadcastsAreBounded(t *testing.T) {
	b := opened()
	for range maxBroadcasts + 7 {
		b.Put(membership.Input{Kind: membership.Broadcast})
	}
	if got := len(drained(b)); got != maxBroadcasts || b.Dropped() != 7 {
		t.Errorf("%d broadcasts waited, %d dropped", got, b.Dropped())
	}
}

// TestBroadcastBytesAreBounded: large broadcasts cost bounded memory too, and there is room
// again when some were taken.
func TestBroadcastBytesAreBounded(t *testing.T) {
	b := opened()
	large := membership.Input{Kind: membership.Broadcast, Data: make([]byte, membership.MaxBroadcast)}
	fit := maxBroadcastBytes / membership.MaxBroadcast
	for range 2 {
		for range fit + 3 {
			b.Put(large)
		}
		if got := len(drained(b)); got != fit {
			t.Errorf("%d broadcasts of %d bytes waited, want %d", got, membership.MaxBroadcast, fit)
		}
	}
	if b.Dropped() != 6 {
		t.Errorf("%d dropped, want 6", b.Dropped())
	}
}

// TestFlappingIsBounded: of a link that flaps unseen the end remains.
func TestFlappingIsBounded(t *testing.T) {
	b := opened()
	for range 10000 {
		b.Put(membership.Input{Kind: membership.LinkUp, Peer: peerNamed("flap")})
		b.Put(frameFrom("flap", 1))
		b.Put(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("flap")})
	}
	b.Put(membership.Input{Kind: membership.LinkUp, Peer: peerNamed("flap")})
	got := drained(b)
	if len(got) > 2*maxChanges {
		t.Errorf("%d inputs wait for a flapping link", len(got))
	}
	if last := got[len(got)-1].Input.Kind; last != membership.LinkUp {
		t.Errorf("the last input is %v, want LinkUp", last)
	}
}

func TestClosedBoxes(t *testing.T) {
	b := opened()
	b.Put(frameFrom("a", 1))
	b.Put(membership.Input{Kind: membership.Broadcast})
	b.Add("own")
	b.Close()
	b.Put(frameFrom("a", 1))
	b.Put(membership.Input{Kind: membership.Tree})
	b.Add("own")
	if got := drained(b); len(got) != 0 {
		t.Errorf("a closed box gave %+v", got)
	}
}

// A tree that nobody took before the box was closed does not hide those that come after
// it is opened again.
func TestATreeAfterAReopening(t *testing.T) {
	b := opened()
	b.Put(membership.Input{Kind: membership.Tree})
	b.Close()
	b.Open()
	b.Put(membership.Input{Kind: membership.Tree})
	if p, ok := b.Take(); !ok || p.Input == nil || p.Input.Kind != membership.Tree {
		t.Errorf("took %+v, %v; want the tree", p, ok)
	}
}
