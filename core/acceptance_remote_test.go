package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Who may start a function is asked of the name that a node has proved, whatever it says.
func TestWhoMayStartIsWhoHasProvedIt(t *testing.T) {
	t.Parallel()
	f := newField(t)
	at := f.start("at@127.0.0.1")
	allowed, other := f.start("allowed@127.0.0.1"), f.start("other@127.0.0.1")
	f.join(allowed, at)
	f.join(other, at)
	asked := make(chan name.Node, 8)
	only := core.Only(allowed.Name())
	var ran atomic.Int64
	if err := core.OfferStart(at, "work", func(node name.Node) bool { asked <- node; return only(node) }, func(_ context.Context, _ *core.Self, text string) error {
		ran.Add(1)
		return errors.New(text)
	}); err != nil {
		t.Fatal(err)
	}
	_, down, stopWatching, err := core.SpawnOnMonitored(t.Context(), allowed, at.Name(), "work", "done", core.StartOptions{})
	if err != nil {
		t.Fatalf("who may: %v", err)
	}
	defer stopWatching()
	if d := <-down; core.ReasonText(d.Reason) != "at@127.0.0.1: done" {
		t.Errorf("it ended with %v", d.Reason)
	}
	if _, err := core.SpawnOn(t.Context(), other, at.Name(), "work", "done", core.StartOptions{}); !errors.Is(err, core.ErrDenied) {
		t.Errorf("who may not: %v", err)
	}
	link := member(t, allowed).Ref() // of a node that may
	if _, err := core.SpawnOn(t.Context(), other, at.Name(), "work", "done", core.StartOptions{Link: link}); !errors.Is(err, core.ErrDenied) {
		t.Errorf("who may not, in the name of another: %v", err)
	}
	if first, second, third := <-asked, <-asked, <-asked; first != allowed.Name() || second != other.Name() || third != other.Name() {
		t.Errorf("asked for %s, %s and %s", first, second, third)
	}
	stop(t, allowed)
	thief := f.start("allowed@127.0.0.1") // the name, with a key of its own
	if _, err := core.SpawnOn(t.Context(), thief, at.Name(), "work", "done", core.StartOptions{}); !errors.Is(err, core.ErrNoConnection) {
		t.Errorf("who has the name of one who may: %v", err)
	}
	if n := ran.Load(); n != 1 {
		t.Errorf("%d were started, want 1", n)
	}
}

// A reference of an earlier life of a node leads to nobody, also when a process of the
// later life has the same number.
func TestAnOldReferenceReachesNobodyElse(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, dir := f.start("a@127.0.0.1"), t.TempDir()
	b := f.startIn(dir, "b@127.0.0.1")
	f.join(b, a)
	old := member(t, b).Ref()
	if err := core.Deliver(t.Context(), a, old, "hello"); err != nil {
		t.Fatal(err)
	}
	stop(t, b)
	b = f.startIn(dir, "b@127.0.0.1")
	f.join(b, a)
	heard := make(chan string, 8)
	var later name.Ref
	for later.ID < old.ID {
		proc, err := b.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
			for {
				text, _, err := core.Receive[string](ctx, self)
				if err != nil {
					return err
				}
				heard <- fmt.Sprint(self.Ref().ID, " ", text)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		later = proc.Ref()
	}
	if later.ID != old.ID || later == old {
		t.Fatalf("the later process is %s, the earlier was %s", later, old)
	}
	for _, from := range []*core.Node{a, b} {
		if err := core.Send(t.Context(), from, old, "send"); err != nil && !errors.Is(err, core.ErrNoProcess) {
			t.Errorf("send from %s: %v", from.Name(), err)
		}
		if err := core.Cast(from, old, "cast"); err != nil {
			t.Errorf("cast from %s: %v", from.Name(), err)
		}
		if err := core.Deliver(t.Context(), from, old, "deliver"); !errors.Is(err, core.ErrNoProcess) {
			t.Errorf("deliver from %s: %v", from.Name(), err)
		}
		if _, err := core.Call[string, string](t.Context(), from, old, "call"); !errors.Is(err, core.ErrNoProcess) {
			t.Errorf("call from %s: %v", from.Name(), err)
		}
		if err := from.Kill(t.Context(), old); err != nil && !errors.Is(err, core.ErrNoProcess) {
			t.Errorf("kill from %s: %v", from.Name(), err)
		}
	}
	for _, from := range []*core.Node{a, b} { // behind all of that
		if err := core.Deliver(t.Context(), from, later, "for me"); err != nil {
			t.Errorf("to the later process: %v", err)
		}
		if got, want := <-heard, fmt.Sprint(later.ID, " for me"); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

// Who is too slow for the dead letters is told how many were lost.
func TestDeadLettersThatNobodyReads(t *testing.T) {
	t.Parallel()
	n := newLab(t).start("a@h")
	letters, err := n.SubscribeDead()
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	gone := member(t, n)
	gone.Stop()
	<-gone.Done()
	const sent = 1500
	for range sent {
		if err := core.Cast(n, gone.Ref(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if count := n.DeadLetters()["no process"]; count != sent {
		t.Errorf("%d are counted, want %d", count, sent)
	}
	var told, lost uint64
	for told+lost < sent {
		letter, gap, err := letters.Next(t.Context())
		if err != nil || letter.Count != 1 || letter.To.Ref != gone.Ref() || !errors.Is(letter.Reason, core.ErrNoProcess) {
			t.Fatalf("dead letter %+v, %v", letter, err)
		}
		told++
		lost += gap
	}
	if lost == 0 || told+lost != sent {
		t.Errorf("%d were told, %d lost, of %d", told, lost, sent)
	}
}
