package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestAFullMailboxMakesSendersWait(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		g := newGate()
		w.serve(at, "s", Spec{Handle: g.handle, Mailbox: 2})
		var sending sync.WaitGroup
		sending.Go(func() {
			for i := range 100 {
				must(t, from.Send(t.Context(), to(at, "s"), fmt.Append(nil, i)))
			}
		})
		time.Sleep(10 * time.Second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := from.Deliver(short, to(at, "s"), []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Deliver to a full mailbox: %v", err)
		}
		synctest.Wait() // until the other end knows
		close(g.open)
		sending.Wait()
		synctest.Wait()
		if got := g.all(); len(got) != 100 || got[99] != "99" {
			t.Errorf("%d messages came, want 100 and nothing of who gave up: %q", len(got), got)
		}
	})
}

func TestAMailboxIsBoundedInBytes(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		g := newGate()
		proc := w.serve(at, "s", Spec{Handle: g.handle})
		var sending sync.WaitGroup
		sending.Go(func() {
			for range 4 {
				must(t, from.Send(t.Context(), to(at, "s"), make([]byte, DefaultMaxPayload)))
			}
		})
		time.Sleep(10 * time.Second)
		if n := proc.box.len(); n > mailboxBytes/DefaultMaxPayload {
			t.Errorf("%d messages of %d bytes wait", n, DefaultMaxPayload)
		}
		close(g.open)
		sending.Wait()
		synctest.Wait()
		if n := len(g.all()); n != 4 {
			t.Errorf("%d messages came", n)
		}
	})
}

func TestAFullMailboxStallsNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		stuck := newGate()
		w.serve(b, "stuck", Spec{Handle: stuck.handle, Mailbox: 1})
		sent := 0
		var sending sync.WaitGroup
		sending.Go(func() {
			for ; sent < 1000; sent++ {
				must(t, a.Send(t.Context(), to(b, "stuck"), fmt.Append(nil, sent)))
			}
		})
		synctest.Wait()
		if sent != firstMessages {
			t.Errorf("%d messages are on their way to a process that takes nothing, want %d", sent, firstMessages)
		}
		neighbour := neighbourOf(a, b, "stuck")
		w.serve(b, neighbour, Spec{Handle: echo})
		begin := time.Now()
		for range 3 * firstMessages {
			_, err := a.Call(t.Context(), to(b, neighbour), nil)
			must(t, err)
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("who shares the stream waited %v", took)
		}
		close(stuck.open)
		sending.Wait()
		synctest.Wait()
		if got := stuck.all(); len(got) != 1000 || got[999] != "999" {
			t.Errorf("%d messages came, want all", len(got))
		}
		for reason, n := range b.DeadLetters() {
			if n > 0 {
				t.Errorf("%d dead letters: %s", n, reason)
			}
		}
	})
}

func TestAMailboxThatRefusesSaysSo(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		g := newGate()
		w.serve(at, "s", Spec{Handle: g.handle, Mailbox: 4, Policy: Refuse})
		const sent = 40
		refused := uint64(0)
		for i := range sent {
			if err := from.Send(t.Context(), to(at, "s"), fmt.Append(nil, i)); errors.Is(err, ErrBusy) {
				refused++
			} else {
				must(t, err)
			}
			synctest.Wait()
		}
		if _, err := from.Call(t.Context(), to(at, "s"), nil); !errors.Is(err, ErrBusy) {
			t.Errorf("Call: %v", err)
		}
		if err := from.Deliver(t.Context(), to(at, "s"), nil); !errors.Is(err, ErrBusy) {
			t.Errorf("Deliver: %v", err)
		}
		close(g.open)
		synctest.Wait()
		refused += at.DeadLetters()["mailbox full"]
		if delivered := uint64(len(g.all())); delivered != 5 || delivered+refused != sent {
			t.Errorf("%d delivered, %d refused, %d sent", delivered, refused, sent)
		}
	})
}

// neighbourOf is a name that shares a stream with another.
func neighbourOf(a, b *Processes, service string) string {
	for i := 0; ; i++ {
		text := fmt.Sprint("n", i)
		if to(b, text).shard(nodeID) == to(b, service).shard(nodeID) {
			return text
		}
	}
}

func TestACallWaitsForRoomNoLongerThanItsCaller(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		stuck := newGate()
		w.serve(b, "stuck", Spec{Handle: stuck.handle, Mailbox: 1})
		neighbour := neighbourOf(a, b, "stuck")
		w.serve(b, neighbour, Spec{Handle: echo})
		for range 2 {
			must(t, a.Send(t.Context(), to(b, "stuck"), nil))
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := a.Call(ctx, to(b, "stuck"), nil); result <- err }()
		synctest.Wait()
		begin := time.Now()
		cancel()
		_, err := a.Call(t.Context(), to(b, neighbour), nil)
		must(t, err)
		if took := time.Since(begin); took > 0 {
			t.Errorf("who shares the stream waited %v for a call that was given up", took)
		}
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Call: %v", err)
		}
		close(stuck.open)
	})
}

func TestWhatWaitsWhenAProcessStopsIsToldOrCounted(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		proc := w.serve(at, "s", Spec{Handle: newGate().handle})
		must(t, from.Deliver(t.Context(), to(at, "s"), nil)) // being handled
		must(t, from.Deliver(t.Context(), to(at, "s"), nil))
		must(t, from.Deliver(t.Context(), to(at, "s"), nil))
		result := make(chan error, 1)
		go func() { _, err := from.Call(t.Context(), to(at, "s"), nil); result <- err }()
		synctest.Wait()
		proc.Stop()
		if err := <-result; !errors.Is(err, ErrNoProcess) {
			t.Errorf("Call: %v", err)
		}
		<-proc.Done()
		if n := at.DeadLetters()["no process"]; n != 2 {
			t.Errorf("%d dead letters, want the two that waited", n)
		}
		if err := at.Bind(name.MustService("s"), proc.Ref()); !errors.Is(err, ErrNoProcess) {
			t.Errorf("Bind to a process that has ended: %v", err)
		}
	})
}

func TestNames(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		answer := func(text string) Spec {
			return Spec{Handle: func(context.Context, Message) (any, error) { return []byte(text), nil }}
		}
		first, second := w.serve(p, "s", answer("1")), w.serve(p, "s", answer("2"))
		must(t, p.Bind(name.MustService("s"), first.Ref())) // twice is once
		must(t, p.Bind(name.MustService("other"), first.Ref()))
		call := func() string { out, err := p.Call(t.Context(), to(p, "s"), nil); return fmt.Sprint(text(out), err) }
		if got := call(); got != "1<nil>" {
			t.Errorf("answered %s", got)
		}
		p.Unbind(name.MustService("s"), first.Ref())
		p.Unbind(name.MustService("never"), first.Ref())
		if got := call(); got != "2<nil>" {
			t.Errorf("after Unbind answered %s", got)
		}
		second.Stop()
		if _, err := p.Call(t.Context(), to(p, "s"), nil); !errors.Is(err, ErrNoProcess) {
			t.Errorf("with nobody left: %v", err)
		}
		first.Stop()
		if delete(p.names, controlName()); len(p.names) > 0 {
			t.Errorf("names left: %v", p.names)
		}
	})
}

func TestWorkersHandleAtTheSameTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		var running, most int
		var mu sync.Mutex
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			running += by
			most = max(most, running)
		}
		w.serve(p, "s", Spec{Workers: 4, Handle: func(context.Context, Message) (any, error) {
			count(1)
			time.Sleep(time.Second)
			count(-1)
			return nil, nil
		}})
		begin := time.Now()
		for range 8 {
			must(t, p.Send(t.Context(), to(p, "s"), nil))
		}
		_, err := p.Call(t.Context(), to(p, "s"), nil)
		must(t, err)
		if took := time.Since(begin); most != 4 || took != 3*time.Second {
			t.Errorf("%d at a time, %v in all", most, took)
		}
	})
}
