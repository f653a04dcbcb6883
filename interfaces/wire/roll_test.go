package wire

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
)

// log is a roll with what it told.
type log struct {
	roll *Roll
	told []string
}

func newLog() *log {
	l := &log{}
	l.roll = NewRoll(name.MustNode("self@h"), func(e membership.Event) {
		l.told = append(l.told, fmt.Sprintf("%s %s/%d", e.Type, e.Node.Base(), e.Incarnation))
	})
	return l
}

// process makes a source that counts.
func (l *log) process(t *testing.T) *Membership {
	t.Helper()
	m := &Membership{}
	if err := l.roll.adopt(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// near is a change after which these are members and neighbours, at an incarnation.
func near(incarnation uint64, bases ...string) (c change) {
	c.view = &membership.View{}
	for _, base := range bases {
		node := name.MustNode(base + "@h")
		c.members = append(c.members, membership.Member{Node: node, State: membership.Alive, Incarnation: incarnation})
		c.view.Active = append(c.view.Active, node)
		c.events = append(c.events, membership.Event{Type: membership.MemberUp, Node: node, Incarnation: incarnation},
			membership.Event{Type: membership.PeerUp, Node: node, Incarnation: incarnation})
	}
	return c
}

func (l *log) apply(t *testing.T, m *Membership, c change) {
	t.Helper()
	if err := l.roll.apply(m, c); err != nil {
		t.Fatal(err)
	}
}

func (l *log) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(l.told, want) {
		t.Errorf("told %q, want %q", l.told, want)
	}
	l.told = nil
}

// A new process tells again what the one before has told, and nobody hears of it. What
// it does not know stands still until its time is over, and is down then.
func TestRollOutlivesProcesses(t *testing.T) {
	l := newLog()
	first := l.process(t)
	l.apply(t, first, near(1, "b", "c", "d"))
	l.expect(t, "member up b/1", "peer up b/1", "member up c/1", "peer up c/1", "member up d/1", "peer up d/1")
	l.roll.lost(first)
	if members, neighbours := l.roll.Stale(); members != 3 || neighbours != 3 || len(l.roll.Members()) != 3 {
		t.Errorf("stale are %d and %d; members %v", members, neighbours, l.roll.Members())
	}
	second := l.process(t)
	l.apply(t, first, change{events: []membership.Event{{Type: membership.MemberDown, Node: name.MustNode("b@h"), Incarnation: 1}}})
	l.apply(t, second, near(1, "b"))
	l.expect(t)
	if view := l.roll.View(); len(view.Active) != 3 {
		t.Errorf("view %v", view)
	}
	l.apply(t, second, near(2, "c")) // it has begun another life meanwhile
	l.expect(t, "member down c/1", "member up c/2")
	l.roll.Unlink(name.MustNode("d@h"))
	l.expect(t, "peer down d/1")
	if n := l.roll.Sweep("over"); n != 1 {
		t.Errorf("%d members were swept, want d", n)
	}
	l.expect(t, "member down d/1")
	if members, neighbours := l.roll.Stale(); members+neighbours != 0 || len(l.roll.Members()) != 2 {
		t.Errorf("stale are %d and %d; members %v", members, neighbours, l.roll.Members())
	}
}

// few is maxRoll in tests.
const few = 1000

// crowd is a change by which n members come or go, the first with a number; with events
// if it wants them.
func crowd(first, n int, event membership.EventType) (c change) {
	for i := range n {
		node := name.MustNode(fmt.Sprintf("n%d@h", first+i))
		switch event {
		case membership.MemberDown:
			c.gone = append(c.gone, node)
		case membership.PeerUp:
		default:
			c.members = append(c.members, membership.Member{Node: node, State: membership.Alive, Incarnation: 1})
		}
		if event != "" {
			c.events = append(c.events, membership.Event{Type: event, Node: node, Incarnation: 1})
		}
	}
	return c
}

// What a process told that was too much is over with it: the next one is believed again.
func TestAFloodOfMembersEndsWithItsProcess(t *testing.T) {
	l := newLog()
	l.roll.most = few
	first := l.process(t)
	l.apply(t, first, near(1, "b"))
	l.apply(t, first, crowd(0, few-1, ""))
	l.told = nil
	if err := l.roll.apply(first, crowd(few, 10, "")); err == nil {
		t.Error("more members than there may be are no error")
	}
	if n := len(l.roll.Members()); n > few {
		t.Errorf("%d members are known, of at most %d", n, few)
	}
	l.roll.lost(first)
	second := l.process(t)
	l.apply(t, second, near(1, "b"))
	l.apply(t, second, near(1, "b", "c"))
	l.expect(t, "member up c/1", "peer up c/1")
	if members := l.roll.Members(); len(members) != 2 {
		t.Errorf("%d members, want b and c in the place of the flood", len(members))
	}
}

func TestAFloodOfNeighboursEndsWithItsProcess(t *testing.T) {
	l := newLog()
	l.roll.most = few
	first := l.process(t)
	for i := range 2 * few / 10 {
		if err := l.roll.apply(first, crowd(i*10, 10, membership.PeerUp)); err != nil {
			break
		}
	}
	if len(l.roll.near) > few {
		t.Errorf("%d neighbours are known, of at most %d", len(l.roll.near), few)
	}
	l.roll.lost(first)
	l.apply(t, l.process(t), near(1, "b"))
	if view := l.roll.View(); !slices.Contains(view.Active, name.MustNode("b@h")) {
		t.Errorf("b is not in a view of %d", len(view.Active))
	}
}

// A cluster whose nodes come and go for years has had any number of names.
func TestNamesWithoutEnd(t *testing.T) {
	ups, downs := 0, 0
	roll := NewRoll(name.MustNode("self@h"), func(e membership.Event) {
		switch e.Type {
		case membership.MemberUp:
			ups++
		case membership.MemberDown:
			downs++
		default:
		}
	})
	roll.most = few
	l := &log{roll: roll}
	m := l.process(t)
	const each, rounds = 10, 3 * few / 10
	for i := range rounds {
		l.apply(t, m, crowd(i*each, each, membership.MemberUp))
		l.apply(t, m, crowd(i*each, each, membership.MemberDown))
	}
	if ups != each*rounds || downs != ups || len(roll.told) > 2*few {
		t.Errorf("%d came and %d went of %d; %d are remembered", ups, downs, each*rounds, len(roll.told))
	}
	for i := range rounds { // these come and are never members
		c := crowd(i*each, each, membership.MemberUp)
		c.members = nil
		l.apply(t, m, c)
	}
	if len(roll.told) > 2*few {
		t.Errorf("%d are remembered", len(roll.told))
	}
}

// Before a process has started what it tells waits, within bounds.
func TestALoudStartIsBounded(t *testing.T) {
	l := newLog()
	l.roll.most = few
	m := &Membership{}
	for i := range 20 {
		if l.roll.apply(m, crowd(i*few, few/2, "")) != nil {
			return
		}
	}
	t.Error("ten times as many members wait")
}

// Whatever a membership tells, what is read is sorted and named.
func FuzzMembershipTells(f *testing.F) {
	seed, err := proto.Marshal(&membershipv1.WatchResponse{
		Members: []*membershipv1.Member{{Node: "b@h", State: "alive", Incarnation: 1, Key: make([]byte, 32), Endpoints: []string{"h:1"}}},
		View:    true, Active: []string{"b@h"}, Gone: []string{"c@h"}, Events: []*membershipv1.Event{{Type: "member up", Node: "b@h", Incarnation: 1}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, c := &membershipv1.WatchResponse{}, change{}
		if proto.Unmarshal(data, in) != nil || c.read(in) != nil {
			return
		}
		l := newLog()
		source := l.process(t)
		l.apply(t, source, c)
		l.roll.lost(source)
		l.roll.Sweep("over")
		for _, m := range l.roll.Members() {
			if m.Node != name.MustNode("self@h") {
				t.Errorf("%v is left", m)
			}
		}
	})
}
