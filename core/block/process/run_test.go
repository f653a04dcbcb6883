package process

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// burst writes frames as one piece.
func (x *peer) burst(shard uint8, frames ...*frame) {
	var all []byte
	for _, f := range frames {
		f.account = x.account(shard, f.target)
		all = append(all, f.encode()...)
	}
	_, _ = x.open(shard).Write(all)
	synctest.Wait()
}

func say(to Target, text string) *frame {
	return &frame{kind: frameSend, target: to, sender: 1, codec: Raw, data: []byte(text)}
}

func TestABurstFillsTheRoomThatThereIs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		g := newGate()
		proc := w.serve(b, "s", Spec{Handle: g.handle, Mailbox: 4, Policy: Refuse})
		x := w.peer("x@h", b)
		var all []*frame
		for i := range 10 {
			all = append(all, say(to(b, "s"), fmt.Sprint(i)))
		}
		x.burst(0, say(to(b, "s"), "first")) // and it is being handled
		x.burst(0, all...)
		x.burst(0, say(to(b, "s"), "one more"))
		close(g.open)
		synctest.Wait()
		if got := g.all(); !slices.Equal(got, []string{"first", "0", "1", "2", "3"}) {
			t.Errorf("came %q", got)
		}
		proc.Stop()
		x.burst(0, all...)
		if dead := b.DeadLetters(); dead["mailbox full"] != 7 || dead["no process"] != 10 {
			t.Errorf("dead letters: %v", dead)
		}
		if held := b.guests[x.node].held.Load(); held != 0 {
			t.Errorf("%d bytes are counted as waiting", held)
		}
	})
}

func TestABurstForManyKeepsTheOrderOfEach(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		gates := []*gate{newGate(), newGate()}
		for i, g := range gates {
			w.serve(b, fmt.Sprint("s", i), Spec{Handle: g.handle})
			close(g.open)
		}
		x := w.peer("x@h", b)
		one, two := to(b, "s0"), to(b, "s1")
		call := say(one, "3")
		call.kind, call.call = frameCall, 1
		x.burst(0, say(one, "1"), say(one, "2"), say(two, "1"), call, say(one, "4"), say(two, "2"), say(two, "3"))
		if got := gates[0].all(); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Errorf("to the first came %q", got)
		}
		if got := gates[1].all(); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("to the second came %q", got)
		}
	})
}

// A name goes from a process with a small mailbox to one with a large one, and its
// sender goes on getting credit.
func TestCreditOutlivesTheProcessBehindAName(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		send := func(n int) {
			for range n {
				must(t, a.Send(t.Context(), to(b, "s"), []byte("x")))
			}
			synctest.Wait()
		}
		first := w.serve(b, "s", Spec{Handle: echo, Mailbox: 4})
		send(20)
		first.Stop()
		synctest.Wait()
		w.serve(b, "s", Spec{Handle: echo})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for i := range 200 {
			if err := a.Send(ctx, to(b, "s"), []byte("x")); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
	})
}
