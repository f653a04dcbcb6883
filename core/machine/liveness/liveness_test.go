package liveness

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func TestTimeouts(t *testing.T) {
	cfg := Defaults()
	for _, c := range []struct {
		observers, living int
		want              time.Duration
	}{
		{1, 100, 8 * time.Second}, {2, 100, 5 * time.Second}, {4, 100, 2 * time.Second}, {9, 100, 2 * time.Second},
		{1, 2, 2 * time.Second}, // nobody else could say so
		{1, 3, 8 * time.Second}, {2, 3, 2 * time.Second}, {1, 1, 2 * time.Second},
	} {
		if got := cfg.timeout(c.observers, c.living); got.Round(time.Millisecond) != c.want {
			t.Errorf("%d observers of %d: %v, want %v", c.observers, c.living, got, c.want)
		}
	}
}

// TestWhoHasLeftKnowsNobody: a node that left claims nothing about others, and when it is
// back it sees those to which it has links.
func TestWhoHasLeftKnowsNobody(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(time.Second, others()...)
	b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
	if got := b.seen(overlay.MemberDown); got != 8 || b.m.Stats().Living != 1 {
		t.Errorf("%d told down of 8, %d living", got, b.m.Stats().Living)
	}
	b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpJoin}})
	b.want(2, Alive)
	b.want(3, Alive)
	b.want(4, Unknown)
}

// TestForgottenMembersMayBeAnybody: a name that was another's begins anew, with a lower
// incarnation too.
func TestForgottenMembersMayBeAnybody(t *testing.T) {
	b := newBench(t, 1, nil)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 12, State: Alive, Inc: 99}}})
	b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpForget, Peer: 12}})
	if b.seen(overlay.MemberDown) != 1 || b.m.Knows(12) {
		t.Errorf("told %+v, known: %t", b.events, b.m.Knows(12))
	}
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 12, State: Alive, Inc: 1}}})
	b.want(12, Alive)
}

func TestMoreObserversShortenASuspicion(t *testing.T) {
	b := newBench(t, 2, nil)
	b.accuse(2, 7, 1, 0)
	b.want(7, Suspect)
	b.accuse(2, 7, 1, 0) // the same one again is no other one
	b.wait(5*time.Second, others()...)
	b.want(7, Suspect)
	b.accuse(3, 7, 1, 0)
	b.wait(200 * time.Millisecond)
	b.want(7, Down)
	if b.seen(overlay.MemberSuspect) != 1 || b.seen(overlay.MemberDown) != 1 {
		t.Errorf("%+v", b.events)
	}
}

func TestRefutation(t *testing.T) {
	b := newBench(t, 2, nil)
	b.accuse(2, 7, 1, 0)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1, Ref: 1}}})
	b.want(7, Alive)
	b.accuse(3, 7, 1, 0) // of the past
	b.want(7, Alive)
	b.wait(20*time.Second, others()...)
	b.want(7, Alive)
}

func TestOwnRefutation(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(3*time.Second, others()...) // the first announcement is over
	b.accuse(2, 1, 5, 0)
	b.wait(200*time.Millisecond, others()...)
	if got := b.m.self().ref; got != 1 {
		t.Errorf("refutation %d", got)
	}
}

// Others may believe one whom this node takes for down, and wait for its answer.
func TestOwnRefutationOfOneWhoIsDown(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(3*time.Second, others()...)
	for _, observer := range []overlay.Peer{2, 3, 4, 5} {
		b.accuse(observer, 9, 1, 0)
	}
	b.wait(3*time.Second, others()...)
	b.want(9, Down)
	b.accuse(9, 1, 5, 0)
	b.wait(200*time.Millisecond, others()...)
	if got := b.m.self().ref; got != 1 {
		t.Errorf("refutation %d", got)
	}
	b.accuse(9, 8, 1, 0) // what it says of others does not count
	b.want(8, Alive)
}

func TestInquiry(t *testing.T) {
	for _, c := range []struct {
		name   string
		why    overlay.Reason
		answer Kind
		want   State
	}{
		{"silent", overlay.Silent, 0, Suspect},
		{"answers itself", overlay.Silent, Pong, Alive},
		{"answers a helper", overlay.Lost, Answer, Alive},
		{"released", overlay.Dropped, 0, Alive},
		{"idle", overlay.Idle, 0, Alive},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 4, nil)
			b.step(overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: 2, Inc: 1, Reason: c.why})
			switch c.answer {
			case Pong:
				b.hear(2, Message{Kind: Pong})
			case Answer:
				helper, nonce := b.helper()
				b.hear(helper, Message{Kind: Answer, Peer: 2, Nonce: nonce})
			}
			b.wait(1500*time.Millisecond, others()...)
			b.want(2, c.want)
		})
	}
}

func TestARestartSupersedes(t *testing.T) {
	b := newBench(t, 2, nil)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 2}}})
	if len(b.events) != 2 || b.events[0].Kind != overlay.MemberDown || b.events[0].Inc != 1 || b.events[1].Kind != overlay.MemberUp || b.events[1].Inc != 2 {
		t.Errorf("%+v", b.events)
	}
}

func TestLeaveIsFinalForALife(t *testing.T) {
	b := newBench(t, 2, nil)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Left, Inc: 1}}})
	b.want(7, Left)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1}}})
	b.want(7, Left)
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1, Ref: 1}}})
	b.want(7, Alive) // its own word, later
	if b.seen(overlay.MemberLeft) != 1 || b.seen(overlay.MemberUp) != 1 {
		t.Errorf("%+v", b.events)
	}
}

func TestLeaveAndBack(t *testing.T) {
	b := newBench(t, 2, nil)
	b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
	if b.said(Announce) != 1 || b.out.Sends[0].Msg.Entries[0].State != Left {
		t.Errorf("%+v", b.out.Sends)
	}
	told := len(b.events)
	b.wait(30 * time.Second)
	if len(b.events) > told {
		t.Errorf("who left judges others: %+v", b.events[told:])
	}
	var said []overlay.Send[Message]
	b.look = func() { said = append(said, b.out.Sends...) }
	b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpJoin}})
	b.wait(time.Second, others()...)
	last := Entry{}
	for _, s := range said {
		if s.Msg.Kind == Announce {
			last = s.Msg.Entries[0]
		}
	}
	if last.State != Alive || last.Ref != 1 {
		t.Errorf("back with %+v", last)
	}
}

func TestACounterThatStandsStill(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(30*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.want(7, Down)
	if got := b.m.Stats(); got.Expired != 1 || got.Downs != 0 {
		t.Errorf("%+v", got)
	}
	b.want(6, Alive)
}

func TestOwnStallExpiresNobody(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(5*time.Second, others()...)
	b.now += time.Hour
	b.wait(10 * time.Second)
	if n := b.seen(overlay.MemberDown) + b.seen(overlay.MemberSuspect); n > 0 {
		t.Errorf("%d events after a stall", n)
	}
}

func TestAMassEventHoldsDownBack(t *testing.T) {
	b := newBench(t, 2, nil)
	for _, p := range []overlay.Peer{5, 6, 7, 8} {
		for observer := overlay.Peer(2); observer < 5; observer++ {
			b.accuse(observer, p, 1, 0)
		}
	}
	b.wait(5*time.Second, others()...)
	b.want(7, Down)
	if b.seen(overlay.Partitioned) != 1 || b.seen(overlay.MemberDown) != 0 {
		t.Errorf("%+v", b.events)
	}
	b.wait(12*time.Second, others()...)
	if b.seen(overlay.MemberDown) != 4 {
		t.Errorf("%+v", b.events)
	}
}

func TestWhoWasDownIsTold(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(30*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: 7, Inc: 1})
	b.want(7, Alive)
	if b.said(Doubt) != 1 {
		t.Errorf("%+v", b.out.Sends)
	}
}

// TestDetach: what an observer signs is the message without a signature, also for whom
// the subject is unknown.
func TestDetach(t *testing.T) {
	msg := Message{Kind: Obituary, Peer: 3, Entries: []Entry{{Peer: 7, State: Suspect, Inc: 5, Ref: 2}}}
	bare := Append(nil, &msg, numbers{})
	msg.Sig = []byte("signature of three")
	body, sig, ok := Detach(Append(nil, &msg, numbers{}))
	if !ok || string(body) != string(bare) || string(sig) != "signature of three" {
		t.Errorf("%x and %q of %x, %t", body, sig, bare, ok)
	}
	other := Message{Kind: Doubt, Entries: msg.Entries}
	for _, data := range [][]byte{nil, bare[:11], Append(nil, &other, numbers{}), append(bare[:11:11], 0xff, 0xff)} {
		if _, _, ok := Detach(data); ok {
			t.Errorf("%x passes for an obituary", data)
		}
	}
}

// What a node says of itself may change twice before it is said: each time it takes a
// stamp of its own, since the first may have been shown on a link.
func TestEachRenewalTakesAStamp(t *testing.T) {
	b := newBench(t, 2, nil)
	renew := overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpRenew}}
	b.step(renew)
	first, _ := b.m.Stamp()
	b.step(renew)
	if second, _ := b.m.Stamp(); second != first+1 {
		t.Errorf("stamps %d and %d", first, second)
	}
}

// A newcomer that meets a member which has counted for an hour believes its steps, from
// the member itself at first, and then from everybody.
func TestACounterThatBeganLongAgo(t *testing.T) {
	b := newBench(t, 1, nil)
	b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: 20, Inc: 3})
	if b.said(Counters) != 1 {
		t.Error("did not say how far it has counted itself")
	}
	steps := func(from overlay.Peer, count uint32) {
		b.hear(from, Message{Kind: Counters, Counts: []Count{{Peer: 20, Count: count, Tag: tag(3, 0)}}})
	}
	steps(20, 720)
	for step := uint32(721); step < 730; step++ {
		b.wait(5 * time.Second)
		steps(2, step)
		b.want(20, Alive)
	}
	if got := b.m.Stats().Ahead; got != 0 {
		t.Errorf("%d true steps refused", got)
	}
}

// A member of which nothing is heard is looked for before it counts as down; a neighbour that comes
// from where it may be is asked at once how far it has counted.
func TestUnheardIsLookedFor(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(20*time.Second, 2, 3, 4, 5, 6, 8, 9)
	var came []overlay.EventKind
	for _, e := range b.events {
		if e.Kind == overlay.Unheard || e.Kind == overlay.MemberDown {
			if came = append(came, e.Kind); e.Peer != 7 || e.Inc != 1 {
				t.Errorf("event %d of life %d of %d", e.Kind, e.Inc, e.Peer)
			}
		}
	}
	if len(came) < 2 || came[0] != overlay.Unheard || came[len(came)-1] != overlay.MemberDown {
		t.Errorf("events %v, want that it is looked for and then that it is down", came)
	}

	b = newBench(t, 2, nil)
	b.wait(13*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: 9, Inc: 1})
	asked := 0
	for _, s := range b.out.Sends {
		if s.To == 9 && s.Msg.Kind == Stale && len(s.Msg.Entries) == 1 && s.Msg.Entries[0].Peer == 7 {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the new neighbour was asked %d times how far 7 has counted, want once", asked)
	}
}

// A neighbour that takes a member for down has others doubt it, if they take it for alive; not if they
// suspect it, as its obituary has it speak already: when half of a cluster dies everybody would doubt everybody.
func TestSuspectsAreNotDoubted(t *testing.T) {
	b := newBench(t, 2, nil)
	table := Message{Kind: Table, Entries: []Entry{{Peer: 7, State: Down, Inc: 1}, {Peer: 8, State: Down, Inc: 1}}}
	b.hear(overlay.Nobody, Message{Kind: Obituary, Peer: 3, Entries: []Entry{{Peer: 7, State: Suspect, Inc: 1}}})
	b.hear(2, table)
	if b.said(Doubt) != 1 || len(b.out.Sends[0].Msg.Entries) != 1 || b.out.Sends[0].Msg.Entries[0].Peer != 8 {
		t.Errorf("said %+v, want a doubt about 8 alone", b.out.Sends)
	}
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1, Ref: 1, Proof: &Proof{}}}})
	table.Entries = []Entry{{Peer: 7, State: Down, Inc: 1, Ref: 1}}
	b.hear(2, table)
	if b.said(Doubt) != 1 {
		t.Errorf("said %+v, want a doubt about 7, which is alive again", b.out.Sends)
	}
}
