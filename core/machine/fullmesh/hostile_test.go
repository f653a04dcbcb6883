package fullmesh

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// bench is one machine at a bench, fed by hand.
type bench struct {
	t   *testing.T
	m   *Machine
	now time.Duration
	out Effects
}

func newBench(t *testing.T, change func(*Config)) *bench {
	cfg := testConfig(name.MustNode("self@h"), 1)
	if change != nil {
		change(&cfg)
	}
	return &bench{t: t, m: New(cfg, rand.New(rand.NewPCG(1, 1)))}
}

func (b *bench) step(inputs ...Input) []Effect {
	b.t.Helper()
	var all []Effect
	for _, in := range inputs {
		b.m.Step(b.now, in, &b.out)
		if err := b.m.Check(); err != nil {
			b.t.Fatalf("after %+v: %v", in, err)
		}
		all = append(all, b.out.List...)
	}
	return all
}

func events(effects []Effect) []string {
	var list []string
	for _, e := range effects {
		if e.Kind == Emit {
			list = append(list, fmt.Sprintf("%s %s/%d", e.Event.Type, e.Event.Node.Base(), e.Event.Incarnation))
		}
	}
	return list
}

func peerOf(base string, inc uint64) membership.Peer {
	return membership.Peer{Node: name.MustNode(base + "@h"), Incarnation: inc, Endpoints: []name.Address{name.MustAddress(base + ":1")}}
}

func (b *bench) neighbour(base string, inc uint64) {
	b.t.Helper()
	p := peerOf(base, inc)
	if got := events(b.step(LinkUp(p), Frame(p, bare(kindJoin)))); len(got) != 2 {
		b.t.Fatalf("%s as neighbour: events %q", base, got)
	}
}

// TestHearsayChangesNobody: whatever a peer says of others, only dials come of it.
func TestHearsayChangesNobody(t *testing.T) {
	b := newBench(t, nil)
	b.neighbour("friend", 5)
	b.neighbour("liar", 1)
	lies := encodeMembers([]entry{
		{node: name.MustNode("friend@h"), inc: 99},
		{node: name.MustNode("self@h"), inc: 99},
		{node: name.MustNode("ghost@h"), inc: 3, endpoints: []name.Address{name.MustAddress("ghost:1")}},
	})
	effects := b.step(Frame(peerOf("liar", 1), lies[0]))
	b.now += time.Second
	effects = append(effects, b.step(Tick())...)
	if got := events(effects); len(got) != 0 {
		t.Errorf("events %q from hearsay", got)
	}
	if got := connects(effects); !slices.Equal(got, []string{"ghost"}) {
		t.Errorf("dialed %q, want ghost only", got)
	}
	if got := len(b.m.Members()); got != 3 {
		t.Errorf("%d members, want self, friend and liar", got)
	}
}

func connects(effects []Effect) []string {
	var list []string
	for _, e := range effects {
		if e.Kind == Connect {
			list = append(list, e.Node.Base())
		}
	}
	return list
}

// TestHearsayDoesNotReviveLeft: a stale list does not bring back who left; a later life may.
func TestHearsayDoesNotReviveLeft(t *testing.T) {
	b := newBench(t, nil)
	b.neighbour("gone", 4)
	b.neighbour("friend", 1)
	b.step(Frame(peerOf("gone", 4), bare(kindLeave)), LinkDown(peerOf("gone", 4), transport.CloseLeaving))
	for inc, want := range map[uint64]int{4: 0, 5: 1} {
		list := encodeMembers([]entry{{node: name.MustNode("gone@h"), inc: inc}})
		effects := b.step(Frame(peerOf("friend", 1), list[0]))
		b.now += time.Second
		effects = append(effects, b.step(Tick())...)
		if got := len(connects(effects)); got != want || len(events(effects)) > 0 {
			t.Errorf("hearsay of incarnation %d: %d dials, want %d; events %q", inc, got, want, events(effects))
		}
		b.step(Connected(name.MustNode("gone@h"), errNobody))
	}
}

// TestHearsayIsBounded: a peer that names the whole world costs a bounded memory and
// bounded dials, and none of it keeps a real member out.
func TestHearsayIsBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxMembers = 100 })
	b.neighbour("liar", 1)
	var world []entry
	for i := range 3000 {
		world = append(world, entry{node: name.MustNode(fmt.Sprintf("ghost%d@h", i)), inc: 1})
	}
	dials := 0
	for _, frame := range encodeMembers(world) {
		dials += len(connects(b.step(Frame(peerOf("liar", 1), frame))))
	}
	b.now += time.Minute
	dials += len(connects(b.step(Tick())))
	if dials > maxLowDials {
		t.Errorf("%d dials at a time, want at most %d", dials, maxLowDials)
	}
	b.neighbour("real", 1)
}

func TestFullRefuses(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxMembers = 2 })
	b.neighbour("one", 1)
	effects := b.step(LinkUp(peerOf("two", 1)))
	if len(effects) != 2 || effects[0].Kind != Send || effects[1].Code != transport.CloseRefused {
		t.Errorf("one too many: %+v, want REFUSE and Disconnect", effects)
	}
	effects = b.step(Join(1, name.MustNode("two@h")))
	if len(effects) != 1 || !errors.Is(effects[0].Err, ErrFull) {
		t.Errorf("join when full: %+v", effects)
	}
}

// TestDeadPast: nothing of an earlier life speaks for the node.
func TestDeadPast(t *testing.T) {
	b := newBench(t, nil)
	b.neighbour("peer", 5)
	old := peerOf("peer", 4)
	effects := b.step(LinkUp(old), Frame(old, bare(kindJoin)), Frame(old, bare(kindLeave)),
		LinkDown(old, transport.CloseLeaving), LinkDown(old, transport.CloseSilent))
	if len(effects) != 0 {
		t.Errorf("the past of a living node: %+v", effects)
	}
	b.step(LinkDown(peerOf("peer", 5), transport.CloseLeaving))
	effects = b.step(LinkUp(old))
	if len(effects) != 2 || effects[0].Frame[2] != byte(kindRefuse) {
		t.Errorf("the past of a node that left: %+v, want REFUSE and Disconnect", effects)
	}
	if got := events(b.step(Frame(old, bare(kindJoin)))); len(got) != 0 {
		t.Errorf("events %q for the dead past", got)
	}
}

// TestYoungerThanTheLink: a machine that was not told of a link learns of it from a
// frame, or by knocking when Connect says that there is one.
func TestYoungerThanTheLink(t *testing.T) {
	b := newBench(t, nil)
	got := events(b.step(Frame(peerOf("peer", 1), bare(kindJoin))))
	if !slices.Equal(got, []string{"member up peer/1", "peer up peer/1"}) {
		t.Errorf("a JOIN without LinkUp: %q", got)
	}
	other := name.MustNode("other@h")
	effects := b.step(Join(1, other), Connected(other, nil))
	if n := len(effects); n != 2 || effects[1].Kind != Send {
		t.Errorf("Connect without LinkUp: %+v, want a JOIN", effects)
	}
	effects = b.step(Frame(peerOf("other", 1), bare(kindWelcome)))
	if last := effects[len(effects)-1]; last.Kind != JoinDone || last.Err != nil {
		t.Errorf("the answer: %+v, want JoinDone last", effects)
	}
}

// TestRecall: a machine made from what an earlier one knew tells no news of those
// whom it finds again, and judges those whom it does not.
func TestRecall(t *testing.T) {
	b := newBench(t, nil)
	b.neighbour("here", 1)
	b.neighbour("dead", 1)
	b.m = New(Config{Self: b.m.cfg.Self, Retry: 1, RetryMax: 1, Suspect: 1, DialTimeout: 1, JoinTimeout: 1, Sync: 1,
		ForgetDown: time.Hour, ForgetLeft: time.Hour, MaxMembers: 9, Known: b.m.Members()}, rand.New(rand.NewPCG(1, 1)))
	if got := connects(b.step(Tick())); !slices.Equal(got, []string{"dead", "here"}) {
		t.Errorf("dialed %q", got)
	}
	here := peerOf("here", 1)
	got := events(b.step(LinkUp(here), Connected(here.Node, nil), Frame(here, bare(kindWelcome))))
	if !slices.Equal(got, []string{"peer up here/1"}) {
		t.Errorf("found again: %q, want the peer event only", got)
	}
	got = events(b.step(Connected(name.MustNode("dead@h"), errNobody)))
	if !slices.Equal(got, []string{"member suspect dead/1"}) {
		t.Errorf("not found: %q", got)
	}
}

func TestJoinErrors(t *testing.T) {
	far := name.MustNode("far@h")
	cases := []struct {
		name string
		in   []Input
		want error
	}{
		{"itself", []Input{Join(1, name.MustNode("self@h"))}, ErrSelf},
		{"unreachable", []Input{Join(1, far), Connected(far, errNobody)}, errNobody},
		{"refused", []Input{Join(1, far), LinkUp(peerOf("far", 1)), Frame(peerOf("far", 1), encodeRefuse(refusedFull, "no room"))}, ErrRefused},
		{"left", []Input{Join(1, far), LinkUp(peerOf("far", 1)), LinkDown(peerOf("far", 1), transport.CloseLeaving)}, membership.ErrLeft},
		{"leave", []Input{Join(1, far), Leave(2)}, membership.ErrLeft},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var done []error
			for _, e := range newBench(t, nil).step(c.in...) {
				if e.Kind == JoinDone {
					done = append(done, e.Err)
				}
			}
			if len(done) != 1 || !errors.Is(done[0], c.want) {
				t.Errorf("join answered %v, want one %v", done, c.want)
			}
		})
	}
}

func TestJoinSilentPeer(t *testing.T) {
	b := newBench(t, nil)
	b.step(Join(1, name.MustNode("far@h")), LinkUp(peerOf("far", 1)))
	b.now += 10 * time.Second
	if got := b.step(Tick()); len(got) != 1 || !errors.Is(got[0].Err, ErrNoAnswer) {
		t.Errorf("a peer that says nothing: %+v", got)
	}
}
