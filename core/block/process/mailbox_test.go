package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
				must(t, from.Send(t.Context(), to(at, "s"), make([]byte, MaxPayload)))
			}
		})
		time.Sleep(10 * time.Second)
		if n := len(proc.box); n > mailboxBytes/MaxPayload {
			t.Errorf("%d messages of %d bytes wait", n, MaxPayload)
		}
		close(g.open)
		sending.Wait()
		synctest.Wait()
		if n := len(g.all()); n != 4 {
			t.Errorf("%d messages came", n)
		}
	})
}

func TestAProcessThatTakesNothingLosesWhatIsSentToIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		stuck := newGate()
		w.serve(b, "stuck", Spec{Handle: stuck.handle, Mailbox: 1})
		for i := range 10 {
			must(t, a.Send(t.Context(), to(b, "stuck"), fmt.Append(nil, i)))
		}
		neighbour := neighbourOf(a, b, "stuck")
		w.serve(b, neighbour, Spec{Handle: echo})
		begin := time.Now()
		_, err := a.Call(t.Context(), to(b, neighbour), nil)
		must(t, err)
		if took := time.Since(begin); took > patience {
			t.Errorf("who shares the stream waited %v", took)
		}
		if n := b.DeadLetters()["mailbox full"]; n != 8 {
			t.Errorf("%d dead letters, want 8: one message is handled, one waits", n)
		}
		if err := a.Deliver(t.Context(), to(b, "stuck"), nil); !errors.Is(err, ErrBusy) {
			t.Errorf("Deliver: %v, want busy", err)
		}
		close(stuck.open)
		synctest.Wait()
		must(t, a.Deliver(t.Context(), to(b, "stuck"), []byte("back")))
		synctest.Wait()
		if got := stuck.all(); !slices.Equal(got, []string{"0", "1", "back"}) {
			t.Errorf("came %q", got)
		}
	})
}

// neighbourOf is a name that shares a stream with another.
func neighbourOf(a, b *Processes, service string) string {
	for i := 0; ; i++ {
		text := fmt.Sprint("n", i)
		if to(b, text).shard(a.Self()) == to(b, service).shard(a.Self()) {
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
			return Spec{Handle: func(context.Context, Message) ([]byte, error) { return []byte(text), nil }}
		}
		first, second := w.serve(p, "s", answer("1")), w.serve(p, "s", answer("2"))
		must(t, p.Bind(name.MustService("s"), first.Ref())) // twice is once
		must(t, p.Bind(name.MustService("other"), first.Ref()))
		call := func() string { out, err := p.Call(t.Context(), to(p, "s"), nil); return fmt.Sprint(string(out), err) }
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
		if len(p.names) > 0 {
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
		w.serve(p, "s", Spec{Workers: 4, Handle: func(context.Context, Message) ([]byte, error) {
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
