package membershiphyparview

import (
	"slices"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Whoever has a link hears the good-bye, also a contact that has taken this node in when its
// answer is still on its way: that one takes it for a neighbour, and would take it for dead.
func TestWhoIsAskedHearsTheGoodBye(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		contact := someone("contact", 1)
		d.comes(contact) // and does not answer
		if err := d.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !slices.ContainsFunc(d.sent[contact.node], isGoodBye) {
			t.Errorf("the contact heard no good-bye: %q", d.sent[contact.node])
		}
	})
}

// isGoodBye reports whether a frame is the record of somebody who has left.
func isGoodBye(frame []byte) bool {
	if first(frame) != frameRecord {
		return false
	}
	body, _, ok := member.Split(frame[1:])
	r, err := member.Decode(body)
	return ok && err == nil && r.Left
}

// A good-bye over a link of its own is as good as one that all hear.
func TestAGoodByeOverALink(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		a, b := someone("a", 1), someone("b", 1)
		d.joins(a)
		d.joins(b)
		body, sig := b.record(0, true)
		d.frame(a, append([]byte{frameRecord}, append(body, sig...)...)) // is not its own
		d.expect(b.node, membership.Alive, "another said that it leaves")
		body, sig = a.record(0, true)
		d.frame(a, append([]byte{frameRecord}, append(body, sig...)...))
		d.expect(a.node, membership.Left, "it said so")
		if n := d.told(membership.MemberLeft, a.node); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// A member that begins one life after the other has its neighbours dial it once a second, and not
// as often as it can sign.
func TestOneLifeAfterAnother(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.joins(someone("m", 1))
		for life := uint64(2); life < 12; life++ {
			m := someone("m", life)
			body, sig := m.record(0, false)
			d.broadcast(announce(m, 0, false, body, sig)) // for which a host ends the link
			d.input(membership.Input{Kind: membership.LinkDown, Peer: someone("m", life-1).peer(), Code: transport.CloseRestarted})
			d.joins(m)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.dialed) != 1 {
			t.Errorf("dialed %d times in a moment, want once", len(d.dialed))
		}
	})
}
