package membershiphyparview

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// flooded is a mind with two neighbours, mallory, who sends more than can be checked, and dave, who
// passes on the words of many honest members.
type flooded struct {
	*mind
	mallory, dave actor
	honest        []actor
}

func newFlooded(t *testing.T) *flooded {
	patient := defaults()
	patient.CounterPeriod = time.Minute
	f := &flooded{mind: newTestMind(t, "self", patient), mallory: someone("mallory", 1), dave: someone("dave", 1)}
	f.begin()
	for _, a := range []actor{f.mallory, f.dave} {
		f.arrives(a)
	}
	for i := range 200 {
		a := someone(fmt.Sprint("honest", i), 1)
		f.honest = append(f.honest, a)
		f.passes(f.dave, word(a, 0))
	}
	f.book.checks.all.tokens = linkBurst + 500 // another flood took the rest
	return f
}

func word(a actor, ref uint32) []byte {
	body, sig := a.record(ref, false)
	return announce(a, ref, false, body, sig)
}

// forged is a later word of somebody, with a signature of nobody.
func forged(a actor, ref uint32, salt int) []byte {
	body, _ := a.record(ref, false)
	return announce(a, ref, false, body, fmt.Appendf(nil, "%064d", salt))
}

func (f *flooded) arrives(a actor) {
	f.input(&membership.Input{Kind: membership.LinkUp, Peer: a.peer()})
	body, sig := a.record(0, false)
	f.input(&membership.Input{Kind: membership.Frame, Peer: a.peer(), Data: append([]byte{frameRecord}, append(body, sig...)...)})
	f.settle()
}

// passes is a broadcast that comes by a neighbour.
func (f *flooded) passes(from actor, data []byte) {
	f.input(&membership.Input{Kind: membership.Broadcast, Peer: membership.Peer{Node: from.node}, Data: data})
	f.settle()
}

// second lets time go on.
func (f *flooded) second() {
	f.now += time.Second
	f.book.checks.now = f.now
	f.expire()
	f.settle()
}

func (f *flooded) stamp(a actor) uint32 { return f.book.byNode[a.node].record.Ref }

func (f *flooded) state(a actor) liveness.State {
	return f.lv.Member(f.book.byNode[a.node].peer).State
}

const (
	perSecond = 2000 // broadcasts that are read from one link
	drained   = 5    // seconds of them after which nothing would be left of what may be spent on all
)

// What one neighbour sends to be checked is its own share: what others say is believed meanwhile.
func TestAFloodDoesNotDrownOthers(t *testing.T) {
	f := newFlooded(t)
	for s := range drained {
		for i := range perSecond {
			f.passes(f.mallory, forged(f.honest[i%len(f.honest)], 9, i))
			if s == drained-1 && i%10 == 0 {
				f.passes(f.dave, word(f.honest[i/10], 1))
			}
		}
		f.second()
	}
	missed := 0
	for _, a := range f.honest {
		if f.stamp(a) != 1 {
			missed++
		}
	}
	if missed > 0 {
		t.Errorf("%d of %d words that another neighbour passed on were not believed", missed, len(f.honest))
	}
}

// Who is suspect is heard also by the neighbour that brings the flood: a flood and an accusation together are
// no death.
func TestAFloodDoesNotDrownWhoIsSuspect(t *testing.T) {
	f := newFlooded(t)
	bob, others := f.honest[0], f.honest[1:]
	for s := range drained {
		for i := range perSecond {
			f.passes(f.mallory, forged(others[i%len(others)], 9, i))
		}
		if s == drained-1 {
			f.passes(f.dave, obituary(f.dave, f.dave, 0, bob))
			if got := f.state(bob); got != liveness.Suspect {
				t.Fatalf("bob is %s", got)
			}
			f.passes(f.mallory, word(bob, 1))
			if got := f.state(bob); got != liveness.Alive {
				t.Errorf("bob is %s and has answered", got)
			}
		}
		f.second()
	}
}

// A peer that links while all is spent shows its record, and is a member.
func TestAFloodKeepsNobodyOut(t *testing.T) {
	f := newFlooded(t)
	f.book.checks.all.tokens = 0
	bob := someone("bob", 1)
	f.arrives(bob)
	if e := f.book.byNode[bob.node]; !e.member {
		t.Error("bob is no member: his record was not looked at")
	}
}

// What cannot be believed whoever signed it costs no check: another key for a name, beyond a few
// that are told; a stamp of the past.
func TestHopelessWordsAreNotChecked(t *testing.T) {
	f := newFlooded(t)
	f.passes(f.dave, word(f.honest[0], 5))
	before := f.book.refuse
	left := f.book.checks.all.tokens
	for i := range 1000 {
		f.passes(f.mallory, word(impostor("honest1", fmt.Sprint("key", i), 1), 0))
		f.passes(f.mallory, forged(f.honest[0], 3, i))
	}
	if spent := left - f.book.checks.all.tokens; spent > 50 {
		t.Errorf("%.0f signatures were checked", spent)
	}
	after := f.book.refuse
	if after.conflicts-before.conflicts != 1000 || after.hasty != before.hasty {
		t.Errorf("refused: %+v, before %+v", after, before)
	}
	if told := len(f.book.events); told > 50 {
		t.Errorf("%d conflicts told", told)
	}
}

// Who looks for the cluster dials those first that it had a link to: names, and where they are to be found,
// can be invented.
func TestInventedEndpointsAreNotDialedFirst(t *testing.T) {
	f := newFlooded(t) // which heard of 200 others
	for _, a := range []actor{f.mallory, f.dave} {
		f.input(&membership.Input{Kind: membership.LinkDown, Peer: a.peer()})
	}
	f.settle()
	for range 20 {
		first := f.contacts()
		if len(first) != maxContacts {
			t.Fatalf("%d contacts", len(first))
		}
		for _, a := range []actor{f.mallory, f.dave} {
			if !slices.Contains(first[:2], f.book.byNode[a.node].peer) {
				t.Fatalf("%s is not among the first", a.node)
			}
		}
	}
}

// The past is of no use only where the present is known: who forgot a member believes any of its stamps.
func TestAnOlderWordOfWhoIsNotKnown(t *testing.T) {
	f := newFlooded(t)
	bob := f.honest[0]
	f.passes(f.dave, word(bob, 5))
	f.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpForget, Peer: f.book.byNode[bob.node].peer}})
	f.passes(f.dave, word(bob, 4))
	if got := f.state(bob); got != liveness.Alive {
		t.Errorf("bob is %s", got)
	}
}
