package membershiphyparview

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// The tests of this file are the attacks of the table in README.md, in its order. mallory
// is a member whose key is trusted; the others are honest.

func TestForgedLeavesArrivalsAndIncarnations(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory, bob := someone("mallory", 1), someone("bob", 5)
		d.joins(mallory)
		d.joins(bob)
		d.expect(bob.node, membership.Alive, "bob joined")
		body, sig := mallory.record(0, true)
		d.broadcast(announce(bob, 0, true, body, sig)) // mallory's record under bob's number
		own, ownSig := bob.record(0, false)
		d.broadcast(announce(bob, 0, true, own, ownSig))    // bob's record does not say left
		d.broadcast(announce(bob, 9, false, own, ownSig))   // nor does it have that stamp
		left, _ := bob.record(0, true)                      // what bob would have to sign
		d.broadcast(announce(bob, 0, true, left, ownSig))   // and did not
		d.frame(mallory, announce(bob, 0, true, left, sig)) // nor over a link
		later := bob
		later.inc = 99
		forged, _ := later.record(0, false)
		d.broadcast(announce(later, 0, false, forged, sig))
		d.expect(bob.node, membership.Alive, "forgeries")
		if inc := incarnation(d, bob.node); inc != 5 {
			t.Errorf("bob is at incarnation %d, want 5", inc)
		}
		d.broadcast(announce(bob, 0, true, left, signed(bob, left)))
		d.expect(bob.node, membership.Left, "bob's own word")
		d.broadcast(announce(bob, 0, false, own, ownSig)) // a replay of the past
		d.expect(bob.node, membership.Left, "a replay")
	})
}

func signed(a actor, body []byte) []byte {
	sig := a.Sign(body)
	return sig[:]
}

func incarnation(d *desk, node name.Node) uint64 {
	for _, m := range d.p.Members() {
		if m.Node == node {
			return m.Incarnation
		}
	}
	return 0
}

func TestForgedSuspicions(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory, bob, carol := someone("mallory", 1), someone("bob", 1), someone("carol", 1)
		d.joins(mallory)
		d.comes(carol)
		body, sig := bob.record(0, false)
		d.broadcast(announce(bob, 0, false, body, sig))
		d.broadcast(obituary(carol, mallory, 0, bob)) // in carol's name
		d.expect(bob.node, membership.Alive, "a suspicion that its observer did not sign")
		d.broadcast(obituary(mallory, mallory, 0, bob)) // its own: one observer
		d.expect(bob.node, membership.Suspect, "one observer")
		d.broadcast(obituary(mallory, mallory, 0, bob))
		time.Sleep(3 * time.Second)
		d.expect(bob.node, membership.Suspect, "the same observer again")
		body, sig = bob.record(1, false)
		d.broadcast(announce(bob, 1, false, body, sig))
		d.expect(bob.node, membership.Alive, "bob answers")
		d.broadcast(obituary(mallory, mallory, 0, bob)) // a replay
		d.expect(bob.node, membership.Alive, "a replayed suspicion")
	})
}

// TestSuspicionsAreRationed: one member cannot have everybody suspected.
func TestSuspicionsAreRationed(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory := someone("mallory", 1)
		d.joins(mallory)
		var victims []actor
		for i := range 100 {
			v := someone(fmt.Sprint("v", i), 1)
			body, sig := v.record(0, false)
			d.broadcast(announce(v, 0, false, body, sig))
			victims = append(victims, v)
		}
		for _, v := range victims {
			d.broadcast(obituary(mallory, mallory, 0, v))
		}
		suspects := 0
		for _, m := range d.p.Members() {
			if m.State == membership.Suspect {
				suspects++
			}
		}
		if suspects == 0 || suspects > 20 {
			t.Errorf("%d of 100 are suspect by the word of one, want about 16", suspects)
		}
	})
}

// TestASecondKeyForAName: hearsay never replaces a key, and says so once; a link, which
// trust decides, does, whatever hearsay came before it.
func TestASecondKeyForAName(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory, bob := someone("mallory", 1), someone("bob", 5)
		d.joins(mallory)
		d.joins(bob)
		fake := impostor("bob", "mallory", 1<<50)
		body, sig := fake.record(0, false)
		for range 3 {
			d.broadcast(announce(fake, 0, false, body, sig))
		}
		if n := d.told(membership.MemberConflict, bob.node); n != 1 {
			t.Errorf("a conflict told %d times, want once", n)
		}
		if inc := incarnation(d, bob.node); inc != 5 {
			t.Errorf("bob is at incarnation %d: replaced", inc)
		}
		carol := someone("carol", 7)
		fake = impostor("carol", "mallory", 1<<50)
		body, sig = fake.record(0, false)
		d.broadcast(announce(fake, 0, false, body, sig)) // before anybody met carol
		d.expect(carol.node, membership.Alive, "a name nobody had")
		d.comes(carol)
		if inc := incarnation(d, carol.node); inc != 7 || d.told(membership.MemberDown, carol.node) != 1 || d.told(membership.MemberConflict, carol.node) != 1 {
			t.Errorf("carol herself is at incarnation %d; told %d down, %d conflicts", inc,
				d.told(membership.MemberDown, carol.node), d.told(membership.MemberConflict, carol.node))
		}
		self := impostor("self", "mallory", 1<<50)
		self.node = name.MustNode("self@10.0.0.1")
		body, sig = self.record(0, true)
		d.broadcast(announce(self, 0, true, body, sig))
		d.expect(self.node, membership.Alive, "this node's own name")
	})
}

// TestInventedNames are bounded, and count for nothing where only pinned keys do.
func TestInventedNames(t *testing.T) {
	few := func(s *Settings) { s.MaxMembers = 50 }
	atDesk(t, few, func(t *testing.T, d *desk) {
		d.joins(someone("mallory", 1))
		for i := range 2000 {
			v := someone(fmt.Sprint("v", i), 1)
			body, sig := v.record(0, false)
			d.broadcast(announce(v, 0, false, body, sig))
		}
		if n := len(d.p.Members()); n > 50 {
			t.Errorf("%d members, want at most 50", n)
		}
		if n := len(d.p.(*host).book.byPeer); n > 2*50+spareEntries {
			t.Errorf("%d entries in the book", n)
		}
	})
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.joins(someone("mallory", 1))
		d.vet = func(name.Node, trust.Key) error { return trust.ErrUntrusted }
		v := someone("invented", 1)
		body, sig := v.record(0, false)
		d.broadcast(announce(v, 0, false, body, sig))
		d.expect(v.node, "", "a name without a pin, in strict mode")
	})
}

func TestFarFutureIncarnations(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory := someone("mallory", 1)
		d.joins(mallory)
		future := someone("future", 1<<60)
		body, sig := future.record(0, false)
		d.broadcast(announce(future, 0, false, body, sig))
		d.expect(future.node, "", "an incarnation nobody can have")
		d.comes(future)
		d.expect(future.node, "", "the same over a link")
		next := someone("mallory", 1<<52) // its own, which harms only itself
		body, sig = next.record(0, false)
		d.broadcast(announce(next, 0, false, body, sig))
		if inc := incarnation(d, mallory.node); inc != 1<<52 {
			t.Errorf("mallory is at %d", inc)
		}
	})
}

// TestCountersBringNobodyBack: steps of another's counter are not signed.
func TestCountersBringNobodyBack(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory, bob := someone("mallory", 1), someone("bob", 1)
		d.joins(mallory)
		body, sig := bob.record(0, false)
		d.broadcast(announce(bob, 0, false, body, sig))
		time.Sleep(patience) // nothing is heard of bob
		d.expect(bob.node, membership.Down, "bob's counter stands still")
		steps := liveness.Message{Kind: liveness.Counters, Counts: []liveness.Count{{Peer: 1, Count: 5, Tag: 1}}}
		d.frame(mallory, liveness.Append(nil, &steps, one{bob}))
		d.expect(bob.node, membership.Down, "forged steps")
	})
}

// TestFloods: frames end the link, and nothing that is not for everybody is answered to
// everybody. What floods of signatures do is in flood_test.go.
func TestFloods(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		mallory := someone("mallory", 1)
		d.joins(mallory)
		d.mu.Lock() // so that the plugin waits to answer the first input
		d.p.Input(membership.Input{Kind: membership.LinkMoved, Peer: mallory.peer()})
		for range 5000 {
			d.p.Input(membership.Input{Kind: membership.Frame, Peer: mallory.peer(), Data: []byte{'H', 1, 9}})
		}
		d.mu.Unlock()
		synctest.Wait()
		d.mu.Lock()
		code := d.closed[mallory.node]
		said := len(d.said)
		d.mu.Unlock()
		if code != transport.CloseBusy {
			t.Errorf("the link of a flooder was closed with %v", code)
		}
		for _, msg := range []liveness.Message{{Kind: liveness.Ping, Nonce: 7}, {Kind: liveness.Compare, Sums: make([]uint64, 32)}} {
			d.broadcast(liveness.Append(nil, &msg, one{mallory}))
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.said) != said {
			t.Error("a broadcast that is for one was answered to all")
		}
	})
}
