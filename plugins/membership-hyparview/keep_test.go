package membershiphyparview

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// TestKnownMembersOutliveTheNode: what was known is written down, and the next life dials
// it. A file that is broken is no obstacle.
func TestKnownMembersOutliveTheNode(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		h := d.p.(*host)
		bob, gone := someone("bob", 1), someone("gone", 1)
		d.joins(bob)
		d.joins(gone)
		body, sig := gone.record(0, true)
		d.broadcast(announce(gone, 0, true, body, sig))
		if err := d.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(h.keepPath())
		if err != nil || !strings.Contains(string(text), bob.node.String()) || strings.Contains(string(text), gone.node.String()) {
			t.Fatalf("the file says %s, %v; want bob, and not who left", text, err)
		}
		env := h.env.Env
		env.Incarnation, env.Tasks = 2, plugintest.Env(t, "self@10.0.0.1").Tasks
		d.boot(env, defaults())
		next := d.p.(*host)
		if e := next.book.byNode[bob.node]; e == nil || e.key != bob.Public() || len(e.endpoints) == 0 {
			t.Errorf("bob in the next life: %+v", e)
		}
		if got := d.state(bob.node); got != "" {
			t.Errorf("bob is %q before anything was heard of him", got)
		}
		time.Sleep(5 * time.Second)
		if running := next.env.Tasks.Running(); !contains(running, "dial "+bob.node.String()) {
			t.Errorf("tasks %v, want that bob is dialed", running)
		}
		if err := d.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.keepPath(), []byte(`{"version":1,"members":[{"node":`), 0o600); err != nil {
			t.Fatal(err)
		}
		env.Incarnation, env.Tasks = 3, plugintest.Env(t, "self@10.0.0.1").Tasks
		d.boot(env, defaults())
	})
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

// TestAQuietClusterIsNotForgotten: of members that stay the file says that they were seen
// lately, so that they are not too old to be dialed when everything crashes after months.
func TestAQuietClusterIsNotForgotten(t *testing.T) {
	slow := func(s *Settings) {
		s.tune = func(hv *hyparview.Config, lv *liveness.Config) {
			hv.Shuffle, lv.Tick, lv.CounterMin = time.Hour, time.Hour, time.Hour
		}
	}
	atDesk(t, slow, func(t *testing.T, d *desk) {
		bob := someone("bob", 1)
		d.joins(bob)
		const days = 40
		last, writes := "", 0
		for range days {
			time.Sleep(24 * time.Hour)
			text, err := os.ReadFile(d.p.(*host).keepPath())
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != last {
				last, writes = string(text), writes+1
			}
		}
		h := bareHost(t, someone("self", 2), defaults())
		h.env.DataDir = d.p.(*host).env.DataDir
		h.load() // as after a crash
		if e := h.book.byNode[bob.node]; e == nil {
			t.Errorf("bob is forgotten after %d days with a link to him: the file says %s", days, last)
		}
		if writes < days/2-1 {
			t.Errorf("written %d times in %d days", writes, days)
		}
	})
}

// TestWhoIsKeptIsNotForOthersToSay: if there are more members than the file has room for, those
// that a link proved come first, before and after a restart, and of the others each node keeps its
// own choice.
func TestWhoIsKeptIsNotForOthersToSay(t *testing.T) {
	keep := func(linked ...actor) (*host, []keptMember) {
		h := bareHost(t, someone("self", 1), defaults())
		h.env.DataDir = t.TempDir()
		h.mind = newMind(h)
		for _, a := range linked {
			h.mind.linkUp(a.peer())
			body, sig := a.record(0, false)
			h.mind.introduced(h.book.byNode[a.node], append(body, sig...))
		}
		for i := range keepMost + 500 {
			h.mind.said(invented(i))
		}
		return h, h.keepable()
	}
	bob, zoe := someone("bob", 1), someone("zoe", 1)
	h, kept := keep(bob, zoe)
	has := func(members []keptMember, node name.Node) bool {
		return slices.ContainsFunc(members, func(m keptMember) bool { return m.Node == node })
	}
	if len(kept) != keepMost || !has(kept, bob.node) || !has(kept, zoe.node) {
		t.Errorf("%d kept; zoe, whom a link proved, among them: %t", len(kept), has(kept, zoe.node))
	}
	_, others := keep()
	same := 0
	for _, m := range kept {
		if has(others, m.Node) {
			same++
		}
	}
	if same > keepMost*9/10 {
		t.Errorf("two nodes keep %d of %d members in common", same, keepMost)
	}
	if again := h.keepable(); !slices.EqualFunc(again, kept, func(a, b keptMember) bool { return a.Node == b.Node }) {
		t.Error("another choice each time: the file would be written for nothing")
	}
	if err := h.save(); err != nil {
		t.Fatal(err)
	}
	next := bareHost(t, someone("self", 2), defaults())
	next.env.DataDir = h.env.DataDir
	next.load()
	next.mind = newMind(next)
	for i := range keepMost {
		next.mind.said(invented(5000 + i))
	}
	if !has(next.keepable(), zoe.node) {
		t.Error("zoe is forgotten after a restart")
	}
}

// invented is the word of one of many who never existed.
func invented(i int) []byte {
	a := someone(fmt.Sprintf("a%05d", i), 1)
	body, sig := a.record(0, false)
	return announce(a, 0, false, body, sig)
}

// TestAnotherAddress: a node that can be dialed elsewhere says so to everybody, and one
// that peers see at an address it does not advertise says that in its health.
func TestAnotherAddress(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		bob, carol := someone("bob", 1), someone("carol", 1)
		d.joins(bob)
		time.Sleep(5 * time.Second)
		d.mu.Lock()
		d.self, d.said = []name.Address{name.MustAddress("10.0.0.2:1")}, nil
		d.mu.Unlock()
		time.Sleep(3 * time.Second)
		d.mu.Lock()
		said := string(joined(d.said))
		d.mu.Unlock()
		if !strings.Contains(said, "10.0.0.2:1") || strings.Contains(said, "10.0.0.1:1") {
			t.Errorf("everybody was told %q, want the new address", said)
		}
		d.joins(carol)
		d.frame(bob, append([]byte{frameSeen}, "192.0.2.7:9"...))
		if h := d.p.(*host).Health(); strings.Contains(h.Detail, "192.0.2.7") {
			t.Errorf("one peer alone is believed: %+v", h)
		}
		d.frame(carol, append([]byte{frameSeen}, "192.0.2.7:9"...))
		if h := d.p.(*host).Health(); !strings.Contains(h.Detail, "2 peers see this node at 192.0.2.7") {
			t.Errorf("health: %+v", h)
		}
		d.frame(carol, append([]byte{frameSeen}, "10.0.0.2:1"...))
		if h := d.p.(*host).Health(); strings.Contains(h.Detail, "192.0.2.7") {
			t.Errorf("health after one sees it where it is: %+v", h)
		}
	})
}

// TestAPeerThatMovesIsToldWhere: what a peer was told of its address does not grow old.
func TestAPeerThatMovesIsToldWhere(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		bob, stranger := someone("bob", 1), someone("mallory", 1)
		d.joins(bob)
		for _, a := range []actor{bob, stranger} {
			p := a.peer()
			p.Remote = name.MustAddress("192.0.2.7:9")
			d.input(membership.Input{Kind: membership.LinkMoved, Peer: p})
		}
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if told := d.sent[bob.node]; string(told[len(told)-1]) != string(frameSeen)+"192.0.2.7:9" {
			t.Errorf("bob was told %q last", told[len(told)-1])
		}
		if told := d.sent[stranger.node]; len(told) > 0 {
			t.Errorf("who has no link was told %q", told)
		}
	})
}

func joined(all [][]byte) (out []byte) {
	for _, b := range all {
		out = append(out, b...)
	}
	return out
}

// TestAVisitorIsNoMember: a link alone makes nobody a member.
func TestAVisitorIsNoMember(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		v := someone("visitor", 1)
		d.input(membership.Input{Kind: membership.LinkUp, Peer: v.peer()})
		d.expect(v.node, "", "who only has a link")
		d.input(membership.Input{Kind: membership.LinkDown, Peer: v.peer()})
		time.Sleep(patience)
		d.expect(v.node, "", "who had one")
		if n := d.told(membership.MemberSuspect, v.node); n != 0 {
			t.Errorf("suspected %d times", n)
		}
	})
}

func TestValidate(t *testing.T) {
	if got := defaults().Validate(); len(got) != 0 {
		t.Errorf("defaults: %+v", got)
	}
	bad := &Settings{ActiveSize: 40, PassiveSize: 20_000, ARWL: 3, PRWL: 3, ShuffleLength: 2, SuspectMin: time.Second, MaxMembers: 1}
	var paths []string
	for _, p := range bad.Validate() {
		paths = append(paths, p.Path)
	}
	want := "active_size passive_size prwl shuffle_length max_members shuffle_period suspect_max counter_period suspect_max"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("problems at %q, want %q", got, want)
	}
}
