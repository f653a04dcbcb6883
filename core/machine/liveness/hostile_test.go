package liveness

import (
	"slices"
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
	b.hear(2, Message{Kind: Counters, Counts: []Count{{Peer: 22, Count: 1, Tag: tag(1, 0)}}})
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
	b.hear(2, Message{Kind: Counters, Counts: []Count{{Peer: 7, Count: 1 << 31, Tag: tag(1, 0)}}})
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

// Names that nobody has fill a table; but they have no counters, and who counts as down makes room.
func TestNewcomersWhenTheTableIsFull(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.MaxMembers = 20 })
	for p := overlay.Peer(100); p < 200; p++ {
		b.hear(2, Message{Kind: Records, Entries: []Entry{proven(p)}})
	}
	b.hear(3, Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}}})
	if b.said(Want) != 0 {
		t.Error("asked for a record that there is no room for")
	}
	b.hear(3, Message{Kind: Records, Entries: []Entry{proven(77)}})
	b.want(77, Unknown)
	b.wait(20*time.Second, others()...)
	b.hear(3, Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}}})
	if b.said(Want) != 1 {
		t.Error("not asked for, though most of the table counts as down")
	}
	b.hear(3, Message{Kind: Records, Entries: []Entry{proven(77)}})
	b.want(77, Alive)
	for _, p := range others() {
		b.want(p, Alive)
	}
	b.hear(2, Message{Kind: Announce, Entries: []Entry{proven(100)}}) // who made room is not brought back by its past
	if b.m.Stats().Living != 10 {
		t.Errorf("%+v", b.m.Stats())
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

// ahead is a step of a member that it has not made yet, but could have.
func (b *bench) ahead(p overlay.Peer) Count {
	r := b.m.table.find(p)
	return Count{Peer: p, Count: r.count + counterSlack, Tag: tag(r.inc, r.ref)}
}

// A step that runs ahead hides the true ones; the member's own word goes before it.
func TestCountersThatRunAheadOfANeighbour(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(10*time.Second, others()...)
	b.hear(2, Message{Kind: Counters, Counts: []Count{b.ahead(3)}})
	for step := uint32(4); step < 16; step++ {
		b.hear(3, Message{Kind: Counters, Counts: []Count{{Peer: 3, Count: step, Tag: tag(1, 0)}}})
		b.wait(5*time.Second, 2, 4, 5, 6, 7, 8, 9)
		b.want(3, Alive)
	}
	if got := b.m.table.find(3).count; got != 15 {
		t.Errorf("%d steps, want the 15 that it says itself", got)
	}
	b.wait(20*time.Second, 2, 4, 5, 6, 7, 8, 9)
	b.want(3, Alive) // there is a link to it
	b.m.table.find(3).moved = b.now - b.m.patience()
	b.step(overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: 3, Inc: 1, Reason: overlay.Dropped})
	b.wait(time.Second, 2, 4, 5, 6, 7, 8, 9)
	b.want(3, Alive) // and there was one a moment ago
	b.wait(20*time.Second, 2, 4, 5, 6, 7, 8, 9)
	b.want(3, Down)
}

// Of others this node asks for their signed word before it gives them up, and forgets with it what was
// forged.
func TestCountersThatRunAhead(t *testing.T) {
	for _, uptime := range []time.Duration{10 * time.Second, 5 * time.Hour} {
		b := newBench(t, 2, nil)
		for b.now < uptime { // by itself: nothing but steps
			b.now += time.Second
			b.step(overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Liveness, Gen: b.m.gen}})
			b.count(others()...)
		}
		ref, doubts, began := uint32(0), 0, overlay.Time(0)
		b.look = func() { doubts += b.said(Doubt) }
		forge := func(count uint32) {
			b.hear(2, Message{Kind: Counters, Counts: []Count{{Peer: 7, Count: count, Tag: tag(1, ref)}}})
		}
		forge(b.m.table.find(7).count + 500)
		forge(b.ahead(7).Count)
		for range 60 {
			b.wait(time.Second, 2, 3, 4, 5, 6, 8, 9)
			true7 := Count{Peer: 7, Count: uint32(b.now/(5*time.Second)) + 1, Tag: tag(1, ref)}
			if doubts > int(ref) {
				ref, began, true7.Count = ref+1, b.now, 0
				b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{{Peer: 7, State: Alive, Inc: 1, Ref: ref}}})
			} else if ref > 0 {
				true7.Count = uint32((b.now - began) / (5 * time.Second)) // it counts anew
			}
			true7.Tag = tag(1, ref)
			b.hear(3, Message{Kind: Counters, Counts: []Count{true7}})
			b.want(7, Alive)
		}
		if doubts != 1 || b.m.Stats().Ahead == 0 {
			t.Errorf("up for %v: %d doubts in a minute after one forged step, want 1; %d steps refused", uptime, doubts, b.m.Stats().Ahead)
		}
	}
}

// Who says a new stamp counts anew with it, not before.
func TestEachStampHasACounter(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(20*time.Second, others()...)
	var steps []Count
	var said []Entry
	b.look = func() {
		for _, s := range b.out.Sends {
			if s.Msg.Kind == Counters && s.To == 2 {
				steps = append(steps, s.Msg.Counts...)
			}
			if s.Msg.Kind == Announce {
				said = append(said, s.Msg.Entries...)
			}
		}
	}
	b.hear(2, Message{Kind: Doubt, Entries: []Entry{{Peer: 1, State: Down, Inc: 5}}})
	b.wait(10*time.Second, others()...)
	if len(said) == 0 || said[0].Ref != 1 || said[0].Count != 0 {
		t.Fatalf("said %+v, want refutation 1 and no steps", said)
	}
	own := slices.DeleteFunc(steps, func(c Count) bool { return c.Peer != 1 })
	if len(own) == 0 || own[0].Tag != tag(5, 1) || own[0].Count != 1 {
		t.Errorf("steps %+v, want the first of refutation 1", own)
	}
}

// A step of a stamp that was missed has the stamp asked for, also of who counts as down.
func TestAStepOfAStampThatWasMissed(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(30*time.Second, 2, 3, 4, 5, 6, 8, 9)
	b.want(7, Down)
	step := Message{Kind: Counters, Counts: []Count{{Peer: 7, Count: 1, Tag: tag(1, 2)}, {Peer: 8, Count: 99, Tag: tag(2, 1)}}}
	b.hear(2, step)
	if b.said(Want) != 1 || len(b.out.Sends[0].Msg.Entries) != 1 || b.out.Sends[0].Msg.Entries[0].Ref != 2 {
		t.Errorf("said %+v, want that 2 is asked for refutation 2 of 7", b.out.Sends)
	}
	b.hear(3, step)
	if b.said(Want) != 0 {
		t.Errorf("said %+v, want nothing: another is being asked", b.out.Sends)
	}
	b.want(7, Down)
}

// A doubt that its member does not answer, because it names another stamp or reaches nobody but this
// node, keeps no true one from being spread.
func TestDoubtsThatNobodyAnswers(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(10*time.Second, others()...)
	b.hear(overlay.Nobody, Message{Kind: Doubt, Entries: []Entry{{Peer: 7, State: Down, Inc: 1, Ref: 99}, {Peer: 8, State: Down, Inc: 99}}})
	b.hear(2, Message{Kind: Doubt, Entries: []Entry{{Peer: 7, State: Down, Inc: 1}}})
	b.hear(3, Message{Kind: Table, Entries: []Entry{{Peer: 7, State: Down, Inc: 1}, {Peer: 8, State: Down, Inc: 1}}})
	if b.said(Doubt) != 1 || len(b.out.Sends[0].Msg.Entries) != 2 {
		t.Errorf("said %+v, want a doubt about 7 and 8", b.out.Sends)
	}
	b.hear(overlay.Nobody, Message{Kind: Doubt, Entries: []Entry{{Peer: 9, State: Down, Inc: 1}}})
	b.hear(3, Message{Kind: Table, Entries: []Entry{{Peer: 9, State: Down, Inc: 1}}})
	if b.said(Doubt) != 0 {
		t.Errorf("said %+v, though all have heard the same", b.out.Sends)
	}
}

// Only who was asked can answer for another, and only what it was asked.
func TestAnswersThatNobodyAskedFor(t *testing.T) {
	b := newBench(t, 4, func(c *Config) { c.Helpers = 1 })
	b.step(overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: 2, Inc: 1, Reason: overlay.Silent})
	helper, nonce := b.helper()
	for _, p := range []overlay.Peer{3, 4, 5, 9} {
		if p != helper {
			b.hear(p, Message{Kind: Answer, Peer: 2, Nonce: nonce})
		}
	}
	b.hear(helper, Message{Kind: Answer, Peer: 2, Nonce: nonce + 1})
	b.hear(helper, Message{Kind: Answer, Peer: 6, Nonce: nonce})
	b.wait(1500*time.Millisecond, others()...)
	b.want(2, Suspect)
	if got := b.m.Stats().Strange; got != 4 {
		t.Errorf("%d refused, want 4", got)
	}
}

// helper is who was asked last to look for another, and by which nonce.
func (b *bench) helper() (overlay.Peer, uint32) {
	b.t.Helper()
	for _, s := range b.out.Sends {
		if s.Msg.Kind == Ask {
			return s.To, s.Msg.Nonce
		}
	}
	b.t.Fatal("nobody was asked")
	return overlay.Nobody, 0
}

// Names that nobody has are observers, if trust lets them be members. Each may accuse a few, but all
// together no more than twice as many as there are members; whom a link proves is heard all the same.
func TestManyObserversTogether(t *testing.T) {
	b := newBench(t, 2, nil)
	b.wait(10*time.Second, others()...)
	const invented = 200
	for p := overlay.Peer(100); p < 100+invented; p++ {
		b.hear(2, Message{Kind: Records, Entries: []Entry{{Peer: p, State: Alive, Inc: 1, Proof: &Proof{}}}})
	}
	for p := overlay.Peer(100); p < 100+invented; p++ {
		for i := range overlay.Peer(16) {
			b.accuse(p, 100+(p-100+1+i*31)%invented, 1, 0)
		}
	}
	heard, living := 0, b.m.Stats().Living
	for _, p := range b.m.suspects {
		heard += len(b.m.table.find(p).suspicion.observers)
	}
	if heard > 2*living || heard < living {
		t.Errorf("%d accusations by %d observers were heard at once, among %d members", heard, invented, living)
	}
	b.accuse(3, 8, 1, 0)
	b.want(8, Suspect)
	if n := len(b.m.quota); n > 4*quotasKept {
		t.Errorf("%d quotas are kept", n)
	}
}

// More observers than count are not charged: they change nothing.
func TestMoreObserversThanCount(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.Observers = 2 })
	for range 50 {
		for p := overlay.Peer(2); p <= 6; p++ {
			b.accuse(p, 7, 1, 0)
		}
	}
	if got := b.m.Stats().Cut; got != 0 {
		t.Errorf("%d cut", got)
	}
}
