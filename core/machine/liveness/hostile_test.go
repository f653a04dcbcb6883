package liveness

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// What a single member can do to the others, attack by attack. Node 2 is a member and a
// neighbour, and hostile.

func TestForgedLeave(t *testing.T) {
	b := newBench(t, 2, nil)
	b.step(overlay.Input[Message]{Kind: overlay.InMsg, Peer: 2, Msg: Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Left, Inc: 1}}}})
	b.hear(2, Message{Kind: Table, Entries: []Entry{{Peer: 8, State: Left, Inc: 1}}})
	b.want(7, Alive)
	b.want(8, Alive)
	if got := b.m.Stats().Unverified; got != 1 {
		t.Errorf("%d refused", got)
	}
}

func TestJoinWithoutProof(t *testing.T) {
	b := newBench(t, 2, nil)
	b.step(overlay.Input[Message]{Kind: overlay.InMsg, Peer: 2, Msg: Message{Kind: Records, Entries: []Entry{{Peer: 20, State: Alive, Inc: 1}}}})
	b.hear(2, Message{Kind: Table, Entries: []Entry{{Peer: 21, State: Alive, Inc: 1}}})
	b.hear(2, Message{Kind: Counters, Counts: []Count{{Peer: 22, Count: 1, Tag: 1}}})
	for p := overlay.Peer(20); p <= 22; p++ {
		b.want(p, Unknown)
	}
}

func TestFarFutureIncarnations(t *testing.T) {
	b := newBench(t, 2, nil)
	b.accuse(2, 7, 1<<60, 0)
	b.accuse(2, 7, 1, 9)
	b.hear(2, Message{Kind: Records, Entries: []Entry{{Peer: 8, State: Alive, Inc: 1 << 60}}})
	b.want(7, Alive)
	if got := b.m.Member(8).Inc; got != 1 || b.m.Stats().Future != 3 {
		t.Errorf("life %d, %+v", got, b.m.Stats())
	}
	b.accuse(3, 7, 1, 0) // the true one still counts
	b.want(7, Suspect)
}

func TestOneObserverIsOneObserver(t *testing.T) {
	b := newBench(t, 2, nil)
	for range 50 {
		b.accuse(2, 7, 1, 0)
		b.accuse(99, 7, 1, 0) // no member
	}
	b.wait(7*time.Second, others()...)
	b.want(7, Suspect) // 8 s to refute, as for any single observer
}

func TestAccusingEverybody(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.Accusations = 3 })
	for p := overlay.Peer(3); p <= 9; p++ {
		b.accuse(2, p, 1, 0)
	}
	s := b.m.Stats()
	if s.Suspects != 3 || s.Cut != 4 {
		t.Errorf("%+v", s)
	}
}

func TestForgedCounters(t *testing.T) {
	b := newBench(t, 2, nil)
	b.hear(2, Message{Kind: Counters, Counts: []Count{{Peer: 7, Count: 1 << 31, Tag: 1}}})
	if got := b.m.Stats().Ahead; got != 1 {
		t.Errorf("%d refused", got)
	}
	b.wait(20*time.Second, others()...) // the true ones go on
	b.want(7, Alive)
	b.accuse(3, 8, 1, 0) // counters do not help who is accused
	b.wait(9*time.Second, others()...)
	b.want(8, Down)
	b.count(8)
	b.want(8, Down)
}

func TestDoubtsAboutThisNode(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(2*time.Second, others()...)
	for i := range uint32(100) {
		b.hear(overlay.Nobody, Message{Kind: Doubt, Entries: []Entry{{Peer: 1, State: Down, Inc: 5, Ref: i}}})
		b.wait(100*time.Millisecond, others()...)
	}
	if got := b.m.Stats().Refuted; got > 3 {
		t.Errorf("spoke %d times in 10 s", got)
	}
}

func TestFloodOfJoins(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.MaxMembers = 20 })
	for p := overlay.Peer(100); p < 200; p++ {
		b.hear(2, Message{Kind: Records, Entries: []Entry{{Peer: p, State: Alive, Inc: 1, Proof: &Proof{}}}})
	}
	if s := b.m.Stats(); s.Living != 20 || s.Full != 89 {
		t.Errorf("%+v", s)
	}
}

func TestFloodOfAsks(t *testing.T) {
	b := newBench(t, 2, nil)
	pings := 0
	for i := range uint32(1000) {
		b.hear(2, Message{Kind: Ask, Peer: 7, Nonce: i})
		pings += b.said(Ping)
	}
	if pings > maxRelays {
		t.Errorf("%d pings for others", pings)
	}
}

func TestTheDeadPastIsNotReplayed(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.Quarantine = 10 * time.Second })
	old := Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1}}}
	b.wait(40*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.want(7, Unknown) // forgotten but for its stamp
	b.hear(2, old)
	b.want(7, Unknown)
	b.hear(2, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 2}}})
	b.want(7, Alive)
}

// A member that was given up may live, and who says so is believed; but not for as long
// as it goes on to say so.
func TestRevivingTheForgotten(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.Quarantine = 10 * time.Second })
	b.wait(40*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.want(7, Unknown)
	lies := make([]Entry, maxEntries)
	for i := range lies {
		lies[i] = Entry{Peer: 7, State: Alive}
	}
	var doubts []Message
	for range 1000 {
		b.now += millisecond
		b.hear(2, Message{Kind: Table, Entries: lies})
		for _, s := range b.out.Sends {
			if s.Msg.Kind == Doubt {
				doubts = append(doubts, s.Msg)
			}
		}
	}
	if len(doubts) != 1 || len(doubts[0].Entries) != 1 || doubts[0].Entries[0].Inc != 1 {
		t.Errorf("%d doubts in 1 s, want one of life 1: %v", len(doubts), doubts)
	}
	b.wait(doubtPause+time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.hear(2, Message{Kind: Table, Entries: lies[:1]})
	if b.said(Doubt) != 1 {
		t.Errorf("%d doubts after the pause, want one", b.said(Doubt))
	}
}

func TestATableOfLies(t *testing.T) {
	b := newBench(t, 2, nil)
	var lies []Entry
	for _, p := range others()[1:] {
		lies = append(lies, Entry{Peer: p, State: Down, Inc: 1})
	}
	doubts := 0
	for range 20 {
		b.hear(2, Message{Kind: Table, Entries: lies})
		doubts += b.said(Doubt)
	}
	for _, p := range others()[1:] {
		b.want(p, Alive)
	}
	if doubts != 1 {
		t.Errorf("%d doubts spread", doubts)
	}
}
