package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// A node that takes less than another sends refuses what is too large, and nothing else:
// whoever sends over the same streams loses nothing by it.
func TestWhatIsTooLargeForTheReceiverHurtsNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const much = 1 << 20
		a, b := w.nodeTaking("a@h", 2*much), w.nodeTaking("b@h", much/2)
		g := newGate()
		w.serve(b, "echo", Spec{Handle: echo})
		const others = 4 * shards
		answers := make(chan error, others)
		for i := range others { // calls of pairs on all streams are under way
			w.serve(b, fmt.Sprint("other", i), Spec{Handle: g.handle})
			go func() {
				out, err := a.Call(t.Context(), to(b, fmt.Sprint("other", i)), "other")
				if err == nil && text(out) != "other" {
					err = fmt.Errorf("answered %q", out)
				}
				answers <- err
			}()
		}
		synctest.Wait()
		var got []int
		sink := w.run(b, Spec{Run: func(ctx context.Context, self *Self) error {
			for {
				m, err := self.Receive(ctx)
				if err != nil {
					return err
				}
				got = append(got, len(m.Bytes()))
			}
		}})
		sender := w.run(a, Spec{Run: func(ctx context.Context, self *Self) error {
			for _, size := range []int{1, much, 2, much / 4, much, 3} {
				if err := self.Send(ctx, ToRef(sink.Ref()), make([]byte, size)); err != nil {
					return err
				}
			}
			return nil
		}})
		<-sender.Done()
		must(t, sender.Reason())
		for range shards {
			if _, err := a.Call(t.Context(), to(b, "echo"), make([]byte, much)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("a call that is too large: %v", err)
			}
			if err := a.Deliver(t.Context(), to(b, "echo"), make([]byte, much)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("a message with a receipt that is too large: %v", err)
			}
		}
		w.serve(a, "much", Spec{Handle: func(context.Context, Message) (any, error) { return make([]byte, much), nil }})
		if _, err := b.Call(t.Context(), to(a, "much"), "?"); !errors.Is(err, ErrTooLarge) {
			t.Errorf("an answer that is too large: %v", err)
		}
		synctest.Wait()
		if want := []int{1, 2, much / 4, 3}; !slices.Equal(got, want) {
			t.Errorf("came %v, want %v", got, want)
		}
		close(g.open)
		for range others {
			must(t, <-answers)
		}
		synctest.Wait()
		for _, p := range []*Processes{a, b} {
			for reason, n := range p.DeadLetters() {
				if want := map[string]uint64{"b@h too large": 2}[p.cfg.Node.String()+" "+reason]; n != want {
					t.Errorf("%s: %d dead letters, %s, want %d", p.cfg.Node, n, reason, want)
				}
			}
		}
		if held := b.guests[name.MustNode("a@h")].held.Load(); held != 0 {
			t.Errorf("%d bytes are held for messages that have been taken", held)
		}
	})
}
