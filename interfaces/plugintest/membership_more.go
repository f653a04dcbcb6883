package plugintest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func membershipJoinErrors(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a := f.start("a")
	if err := a.tryJoin(a.node); err == nil {
		t.Errorf("Join through itself: no error")
	}
	if err := a.tryJoin(name.MustNode("nobody@fabric")); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("Join through a node that is not there: %v; want what Connect said", err)
	}
	b := f.start("b")
	b.leave()
	if err := a.tryJoin(b.node); !errors.Is(err, membership.ErrLeft) {
		t.Errorf("Join through a node that left: %v; want ErrLeft", err)
	}
}

func membershipJoinContext(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	f.stall(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.plugin.Join(ctx, b.node) }()
	var err error
	f.eventually("return of Join after its context ended", func() bool {
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join whose context ended: %v", err)
	}
}

func membershipSticky(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	b.join(a)
	f.settled(a, b)
	b.leave()
	a.sees(b, membership.Left)
	c := f.start("c")
	if err := c.tryJoin(b.node); !errors.Is(err, membership.ErrLeft) {
		t.Errorf("Join through a node that left: %v; want ErrLeft", err)
	}
	if err := a.Connect(t.Context(), b.node, nil); err != nil {
		t.Fatalf("a link to a node that left: %v", err)
	}
	c.join(a)
	f.settled(a, c)
	if b.state(b) != membership.Left || len(b.plugin.View().Active) > 0 || a.state(b) != membership.Left {
		t.Errorf("b left, and is back without Join: it is %q to itself and %q to a", b.state(b), a.state(b))
	}
	b.join(a)
	f.settled(a, b, c)
}

func membershipRestart(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	b.join(a)
	f.settled(a, b)
	b.end() // nobody notices: its links stay until the new life comes
	b2 := f.start("b")
	b2.join(a)
	f.settled(a, b2)
	f.crash(b2)
	a.sees(b2, membership.Down) // what was told of the first death was told before
	var up uint64
	for _, e := range a.about(b) {
		switch {
		case e.Type == membership.MemberUp && e.Incarnation == b2.inc && up != 0:
			t.Errorf("the new life of b is up before its old one is down")
		case e.Type == membership.MemberUp:
			up = e.Incarnation
		case e.Type == membership.MemberDown && e.Incarnation == up:
			up = 0
		}
	}
	a.expectNever(b, membership.MemberLeft)
}

// membershipReborn: nobody has noticed that c died, and one node only hears from itself that it
// is back. In this network the link of the other to the dead never falls by itself.
func membershipReborn(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, c := f.start("a"), f.start("b"), f.start("c")
	b.join(a)
	c.join(a)
	f.settled(a, b, c)
	c.end()
	c2 := f.start("c")
	c2.join(a)
	f.eventually("a link of b to the new life of c", func() bool { return f.linked(b, c2) })
	f.settled(a, b, c2)
}

func membershipPast(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	old := b.peer()
	b.join(a)
	f.settled(a, b)
	f.crash(b)
	b2 := f.start("b")
	b2.join(a)
	f.settled(a, b2)
	told := len(a.about(b))
	for _, frame := range b.frames() {
		a.post(membership.Input{Kind: membership.Frame, Peer: old, Data: frame})
	}
	for _, code := range []transport.CloseCode{transport.CloseLeaving, transport.CloseStopping, transport.CloseSilent} {
		a.post(membership.Input{Kind: membership.LinkDown, Peer: old, Code: code})
	}
	c := f.start("c")
	c.join(a)
	f.settled(a, c)
	if got := a.about(b)[told:]; len(got) > 0 {
		t.Errorf("the earlier life of b spoke, and a said %v", got)
	}
	f.settled(a, b2, c)
	b2.leave()
	a.sees(b2, membership.Left) // comes after all of the above
	if got := a.about(b)[told:]; len(got) != 1 {
		t.Errorf("the earlier life of b spoke: when b left, a said %v", got)
	}
}

func membershipPeace(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b := f.start("a"), f.start("b")
	b.join(a)
	f.settled(a, b)
	for _, code := range []transport.CloseCode{transport.CloseIdle, transport.CloseDuplicate} {
		f.closeLink(a, b, code)
		f.eventually("a new link after one closed as "+code.String(), func() bool { return f.linked(a, b) })
		f.settled(a, b)
	}
	c := f.start("c")
	c.join(a)
	c.join(b)
	f.settled(a, b, c) // what was told of the closed links was told before
	for _, s := range []*station{a, b} {
		for _, e := range s.told() {
			if e.Type == membership.MemberSuspect || e.Type == membership.MemberDown || e.Type == membership.MemberLeft {
				t.Errorf("%s took a peaceful close for a failure: %v", s.node, e)
			}
		}
	}
}

func membershipInput(t T, h MembershipHarness) {
	const inputs = 6000 // several times what a membership may keep, on each of six links
	f := newFabric(t, h)
	a, p := f.start("a"), f.puppet("puppet")
	f.stall(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	joining := make(chan struct{})
	go func() { defer close(joining); _ = a.plugin.Join(ctx, p.node) }()
	f.eventually("a Connect that hangs", f.hanging)
	done := make(chan struct{})
	go func() {
		defer close(done)
		frame := make([]byte, 1<<10)
		for i := range inputs {
			switch i % 1000 {
			case 0:
				a.plugin.Input(membership.Input{Kind: membership.LinkUp, Peer: p.peer()})
			case 1:
				a.plugin.Input(membership.Input{Kind: membership.LinkMoved, Peer: p.peer()})
			case 999:
				a.plugin.Input(membership.Input{Kind: membership.LinkDown, Peer: p.peer(), Code: transport.CloseSilent})
			default:
				a.plugin.Input(membership.Input{Kind: membership.Frame, Peer: p.peer(), Data: frame})
			}
		}
	}()
	f.eventually("return of the Inputs while Connect hangs", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	f.stall(false)
	cancel()
	<-joining
	b := f.start("b")
	b.join(a)
	f.settled(a, b)
}

// membershipHostile lets an authenticated peer send noise, damaged copies of true
// frames, and frames of others.
func membershipHostile(t T, h MembershipHarness) {
	f := newFabric(t, h)
	a, b, p := f.start("a"), f.start("b"), f.puppet("puppet")
	gone := f.start("gone")
	b.join(a)
	gone.join(a)
	f.settled(a, b, gone)
	gone.leave()
	a.sees(gone, membership.Left)
	b.sees(gone, membership.Left)
	if err := p.Connect(t.Context(), a.node, nil); err != nil {
		t.Fatalf("a link to a: %v", err)
	}
	told, toldGone := len(a.about(b)), len(a.about(gone))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, frame := range slices.Concat(gone.frames(), b.frames(), a.frames()) {
		for range 200 {
			sendTo(p, a, damage(rng, frame))
		}
		sendTo(p, a, frame)
	}
	for range 500 {
		sendTo(p, a, noise(rng))
	}
	sendTo(p, a, make([]byte, membership.MaxFrame))
	c := f.start("c")
	c.join(a)
	f.eventually("a, b and c whole", func() bool { return c.near(a) && a.near(b) && b.near(a) && a.state(c) == membership.Alive })
	a.hears(c, membership.MemberUp)
	if got := slices.Concat(a.about(b)[told:], a.about(gone)[toldGone:]); len(got) > 0 {
		t.Errorf("another peer's frames made a say %v", got)
	}
}

func sendTo(p, to *station, frame []byte) {
	if err := p.Send(to.node, frame); err != nil {
		_ = p.Connect(p.f.Context(), to.node, nil) // it may have turned the puppet out
	}
}

func damage(rng *rand.Rand, frame []byte) []byte {
	bad := append([]byte(nil), frame...)
	for range 1 + rng.IntN(3) {
		switch i := rng.IntN(len(bad) + 1); {
		case i == len(bad):
			bad = append(bad, byte(rng.Uint32()))
		case rng.IntN(3) == 0:
			bad = bad[:i]
		default:
			bad[i] = byte(rng.Uint32())
		}
	}
	return bad
}

func noise(rng *rand.Rand) []byte {
	data := make([]byte, rng.IntN(300))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}
