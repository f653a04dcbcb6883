package membershipfull

import (
	"testing"

	"github.com/barrelp2p/barrel/core/machine/fullmesh"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func opened() *inbox {
	b := newInbox()
	b.open()
	return b
}

func peerNamed(base string) membership.Peer {
	return membership.Peer{Node: name.MustNode(base + "@h"), Incarnation: 1}
}

func frameFrom(base string, data ...byte) membership.Input {
	return membership.Input{Kind: membership.Frame, Peer: peerNamed(base), Data: data}
}

func drained(b *inbox) []parcel {
	var all []parcel
	for p, ok := b.take(); ok; p, ok = b.take() {
		all = append(all, p)
	}
	return all
}

func TestInboxTakesTurns(t *testing.T) {
	b := opened()
	b.link(frameFrom("a", 1))
	b.link(frameFrom("a", 2))
	b.link(frameFrom("b", 3))
	b.add(fullmesh.Leave(4))
	b.link(membership.Input{Kind: membership.Frame}) // from nobody
	got := ""
	for _, p := range drained(b) {
		if p.input.Kind == fullmesh.InLeave {
			got += "leave "
			continue
		}
		got += p.input.Peer.Node.Base() + string('0'+rune(p.input.Data[0])) + " "
	}
	if want := "a1 b3 leave a2 "; got != want {
		t.Errorf("taken %q, want %q", got, want)
	}
	if len(b.peers) != 0 {
		t.Errorf("%d peers are remembered by an empty inbox", len(b.peers))
	}
}

// TestInboxBoundsFrames: a flood costs bounded memory, is reported once a link, and
// does not hide that the link is down.
func TestInboxBoundsFrames(t *testing.T) {
	b := opened()
	for range 3 {
		for range 10 * maxFrames {
			b.link(frameFrom("flood", make([]byte, 100)...))
		}
		b.link(frameFrom("calm", 1))
		frames, kicked := 0, 0
		for _, p := range drained(b) {
			switch {
			case p.tooFast.Base() == "flood":
				kicked++
			case p.input.Peer.Node.Base() == "flood":
				frames++
			}
		}
		if frames != maxFrames || kicked != 1 {
			t.Errorf("%d frames and %d reports of a flood, want %d and 1", frames, kicked, maxFrames)
		}
		b.link(frameFrom("flood", 1))
		if got := drained(b); len(got) != 0 {
			t.Errorf("%d more after the report, want none until the link is down", len(got))
		}
		b.link(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("flood"), Code: transport.CloseBusy})
		if got := drained(b); len(got) != 1 || got[0].input.Code != transport.CloseBusy {
			t.Errorf("after the link fell: %+v", got)
		}
	}
	b.link(frameFrom("big", make([]byte, maxBytes)...))
	b.link(frameFrom("big", 1))
	if got := drained(b); len(got) != 2 || got[1].tooFast.IsZero() {
		t.Errorf("%d parcels for more bytes than may wait, want the first frame and a report", len(got))
	}
}

// TestInboxBoundsFlapping: of a link that flaps unseen the end remains.
func TestInboxBoundsFlapping(t *testing.T) {
	b := opened()
	for range 10000 {
		b.link(membership.Input{Kind: membership.LinkUp, Peer: peerNamed("flap")})
		b.link(frameFrom("flap", 1))
		b.link(membership.Input{Kind: membership.LinkDown, Peer: peerNamed("flap")})
	}
	b.link(membership.Input{Kind: membership.LinkUp, Peer: peerNamed("flap")})
	got := drained(b)
	if len(got) > 2*maxChanges {
		t.Errorf("%d inputs wait for a flapping link", len(got))
	}
	if last := got[len(got)-1].input.Kind; last != fullmesh.InLinkUp {
		t.Errorf("the last input is %v, want LinkUp", last)
	}
}

func TestInboxClosed(t *testing.T) {
	b := opened()
	b.link(frameFrom("a", 1))
	b.add(fullmesh.Tick())
	b.close()
	b.link(frameFrom("a", 1))
	b.add(fullmesh.Tick())
	if got := drained(b); len(got) != 0 {
		t.Errorf("a closed inbox gave %+v", got)
	}
}
