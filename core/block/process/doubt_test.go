package process

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a process that counts what comes.
func (w *world) counting(p *Processes, got *atomic.Uint64) *Process {
	return w.run(p, Spec{Run: func(ctx context.Context, self *Self) error {
		for {
			if _, err := self.Receive(ctx); err != nil {
				return err
			}
			got.Add(1)
		}
	}})
}

// letters notes the dead letters of a node.
func letters(p *Processes) <-chan DeadLetter {
	ch := make(chan DeadLetter, 1024)
	p.cfg.DeadLetter = func(d DeadLetter) { ch <- d }
	return ch
}

// What was on its way when the link was lost may have arrived: it is counted as such, and
// nothing else is.
func TestWhatWasOnItsWayIsInDoubt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		told := letters(a)
		var got atomic.Uint64
		sink := w.counting(b, &got)
		send := func(n int) {
			for range n {
				must(t, a.Send(t.Context(), ToRef(sink.Ref()), "x"))
			}
		}
		send(30)
		time.Sleep(time.Second) // they are known to have arrived
		link := w.link(a.cfg.Node, b.cfg.Node)
		link.pause(true)
		send(10)
		synctest.Wait()
		for range 3 { // calls have somebody to tell
			go func() {
				if _, err := a.Call(t.Context(), ToRef(sink.Ref()), "x"); !errors.Is(err, ErrNoConnection) {
					t.Errorf("a call over a link that is lost: %v", err)
				}
			}()
		}
		synctest.Wait()
		w.lose(a, b)
		synctest.Wait()
		if n := a.DeadLetters()["in doubt"]; n != 10 || got.Load() != 30 {
			t.Errorf("%d came, %d in doubt, want 30 and 10", got.Load(), n)
		}
		if n := a.DeadLetters()["link lost"]; n > 0 {
			t.Errorf("%d are said to be lost", n)
		}
		select {
		case d := <-told:
			if d.Count != 10 || d.To.Node != b.cfg.Node || !errors.Is(d.Reason, ErrInDoubt) || !errors.Is(d.Reason, ErrNoConnection) {
				t.Errorf("dead letter %+v", d)
			}
		default:
			t.Error("nobody is told")
		}
		send(5)
		time.Sleep(time.Second)
		w.lose(a, b)
		synctest.Wait()
		if n := a.DeadLetters()["in doubt"]; n != 10 || got.Load() != 35 {
			t.Errorf("later %d came, %d in doubt, want 35 and 10", got.Load(), n)
		}
	})
}

// What went over a link that moved in good order has arrived, if all of it was read.
func TestAMoveLeavesNoDoubt(t *testing.T) {
	for _, unread := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world) {
			a, b := w.node("a@h"), w.node("b@h")
			var got atomic.Uint64
			sink := w.counting(b, &got)
			must(t, a.Send(t.Context(), ToRef(sink.Ref()), "x"))
			synctest.Wait()
			w.link(a.cfg.Node, b.cfg.Node).pause(unread)
			must(t, a.Send(t.Context(), ToRef(sink.Ref()), "x"))
			synctest.Wait()
			before := w.move(a, b)
			synctest.Wait()
			before.end()
			synctest.Wait()
			doubt, want := a.DeadLetters()["in doubt"], uint64(0)
			if unread {
				want = 1
			}
			if doubt < want || doubt > 2*want || got.Load() != 2-want {
				t.Errorf("unread %v: %d came, %d in doubt", unread, got.Load(), doubt)
			}
		})
	}
}

// However often the link is lost: what was sent has come, was an error, was lost for
// certain, or is in doubt; and nothing that is said to be lost has come.
func TestLossesAddUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		var got, failed atomic.Uint64
		const senders, each = 4, 500
		done := make(chan struct{}, senders)
		for range senders {
			sink := w.counting(b, &got)
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range each {
					if err := a.Send(t.Context(), ToRef(sink.Ref()), "x"); err != nil {
						failed.Add(1)
					}
					if i%7 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
		}
		over := 0
		for cut := 0; over < senders; cut++ {
			time.Sleep(3 * time.Millisecond)
			switch link := w.link(a.cfg.Node, b.cfg.Node); cut % 3 {
			case 0:
				link.pause(true) // and then silence
			case 1:
				w.lose(a, b)
			case 2:
				w.move(a, b).end()
			}
			for len(done) > 0 {
				<-done
				over++
			}
		}
		w.lose(a, b)
		synctest.Wait()
		dead := a.DeadLetters()
		certain := got.Load() + failed.Load() + dead["link lost"]
		const sent = senders * each
		t.Logf("of %d: %d came, %d failed, %v", sent, got.Load(), failed.Load(), dead)
		if certain > sent {
			t.Errorf("%d are accounted for, and %d were sent", certain, sent)
		}
		if certain+dead["in doubt"] < sent || dead["in doubt"] == 0 {
			t.Errorf("of %d sent %d are accounted for, and %d are in doubt", sent, certain, dead["in doubt"])
		}
	})
}

// What waits for a link that cannot be made is lost, message by message.
func TestWhatWasNeverWrittenIsLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		told := letters(a)
		var got atomic.Uint64
		to := ToRef(w.counting(b, &got).Ref())
		w.mu.Lock()
		w.refuse = errLost
		w.mu.Unlock()
		sender := w.run(a, Spec{Run: func(_ context.Context, self *Self) error {
			for range 5 {
				if err := self.Cast(to, "x"); err != nil {
					return err
				}
			}
			return nil
		}})
		<-sender.Done()
		must(t, sender.Reason())
		synctest.Wait()
		if dead := a.DeadLetters(); dead["link lost"] != 5 || dead["in doubt"] != 0 || got.Load() != 0 {
			t.Errorf("dead letters %v, %d came", dead, got.Load())
		}
		for range 5 {
			if d := <-told; d.Count != 1 || d.To != to || d.From != sender.Ref() || !errors.Is(d.Reason, ErrNoConnection) || errors.Is(d.Reason, ErrInDoubt) {
				t.Errorf("dead letter %+v", d)
			}
		}
	})
}
