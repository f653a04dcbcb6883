package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// here and elsewhere runs a test with the service on the caller's node and on another.
func hereAndElsewhere(t *testing.T, test func(t *testing.T, w *world, from, at *Processes)) {
	t.Run("here", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) { a := w.node("a@h"); test(t, w, a, a) })
	})
	t.Run("elsewhere", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) { test(t, w, w.node("a@h"), w.node("b@h")) })
	})
}

type rude struct{}

func (rude) Error() string { panic("no text for you") }

func TestErrorsAreTheSameHereAndElsewhere(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		handler := func(ctx context.Context, m Message) (any, error) {
			switch string(m.Bytes()) {
			case "error":
				return nil, errors.New("what the handler said")
			case "panic":
				panic("boom")
			case "rude":
				return nil, rude{}
			case "huge":
				return make([]byte, DefaultMaxPayload+1), nil
			case "exit":
				runtime.Goexit()
			case "wait":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return m.Bytes(), nil
		}
		proc := w.serve(at, "s", Spec{Handle: handler})
		var remote *RemoteError
		_, err := from.Call(t.Context(), to(at, "s"), []byte("error"))
		if !errors.As(err, &remote) || remote.Node != at.cfg.Node || remote.Text != "what the handler said" {
			t.Errorf("an error of the handler is %#v", err)
		}
		for payload, want := range map[string]error{
			"panic": ErrPanicked, "rude": ErrPanicked, "huge": ErrTooLarge, "exit": ErrPanicked,
			strings.Repeat("x", DefaultMaxPayload+1): ErrTooLarge,
		} {
			if _, err := from.Call(t.Context(), to(at, "s"), []byte(payload)); !errors.Is(err, want) {
				t.Errorf("%.10q: %v, want %v", payload, err, want)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := from.Call(short, to(at, "s"), []byte("wait")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("past the deadline: %v after %v", err, time.Since(begin))
		}
		<-short.Done()
		if _, err := from.Call(short, to(at, "s"), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that has ended: %v", err)
		}
		if out, err := from.Call(t.Context(), to(at, "s"), []byte("fine")); err != nil || text(out) != "fine" {
			t.Errorf("after all that the process answers %q, %v", out, err)
		}
		wrong := proc.Ref()
		wrong.Incarnation++
		old := proc.Ref()
		for _, target := range []Target{to(at, "nobody"), ToRef(wrong), ToRef(name.Ref{Node: at.cfg.Node, Incarnation: 1, ID: 999})} {
			if _, err := from.Call(t.Context(), target, nil); !errors.Is(err, ErrNoProcess) {
				t.Errorf("%s: %v, want that it is not there", target, err)
			}
		}
		proc.Stop()
		<-proc.Done()
		if err := from.Deliver(t.Context(), ToRef(old), nil); !errors.Is(err, ErrNoProcess) {
			t.Errorf("to a process that has ended: %v", err)
		}
		must(t, at.Stop(t.Context()))
		if _, err := from.Call(t.Context(), to(at, "s"), nil); !errors.Is(err, ErrStopped) && !errors.Is(err, ErrNoConnection) {
			t.Errorf("to a block that has stopped: %v", err)
		}
	})
}

func TestBytesThatTravelAreCopiedAndThoseThatStayAreShared(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		var kept [][]byte
		done := make(chan struct{}, 1)
		w.serve(at, "s", Spec{Handle: func(_ context.Context, m Message) (any, error) {
			kept = append(kept, m.Bytes())
			done <- struct{}{}
			return m.Value(), nil
		}})
		mine := []byte("hello")
		must(t, from.Send(t.Context(), to(at, "s"), mine))
		<-done
		if shared := &kept[0][0] == &mine[0]; shared != (from == at) {
			t.Errorf("shared: %v", shared)
		}
		out, err := from.Call(t.Context(), to(at, "s"), mine)
		must(t, err)
		<-done
		if text(out) != "hello" || string(kept[1]) != "hello" {
			t.Errorf("%q came as %q, and back as %q", mine, kept[1], out)
		}
		for _, empty := range []any{nil, []byte(nil)} {
			out, err = from.Call(t.Context(), to(at, "s"), empty)
			<-done
			if err != nil || len(bytesOf(out)) > 0 || len(kept[len(kept)-1]) > 0 {
				t.Errorf("an empty payload came as %#v and back as %#v, %v", kept[len(kept)-1], out, err)
			}
		}
	})
}

func TestHandlersKnowTheirCallersDeadlineAndNothingElse(t *testing.T) {
	type secret struct{}
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		got := make(chan time.Time, 1)
		w.serve(at, "s", Spec{Handle: func(ctx context.Context, m Message) (any, error) {
			deadline, _ := ctx.Deadline()
			got <- deadline
			if ctx.Value(secret{}) != nil {
				t.Error("a value of the caller's context came through")
			}
			if m.From != from.Self() || !m.Call {
				t.Errorf("message %+v", m)
			}
			return nil, nil
		}})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), secret{}, 1), 1500*time.Millisecond)
		defer cancel()
		_, err := from.Call(ctx, to(at, "s"), nil)
		must(t, err)
		want, _ := ctx.Deadline()
		if deadline := <-got; !deadline.Equal(want) {
			t.Errorf("deadline %v, want %v", deadline, want)
		}
	})
}

func TestACallerThatGivesUpEndsItsCall(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		ended := make(chan error, 1)
		handled := 0
		w.serve(at, "s", Spec{Handle: func(ctx context.Context, m Message) (any, error) {
			handled++
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}})
		first, giveUp := context.WithCancel(t.Context())
		second, neverMind := context.WithCancel(t.Context())
		results := make(chan error, 2)
		go func() { _, err := from.Call(first, to(at, "s"), nil); results <- err }()
		synctest.Wait()
		go func() { _, err := from.Call(second, to(at, "s"), nil); results <- err }() // waits in the mailbox
		synctest.Wait()
		neverMind()
		synctest.Wait()
		giveUp()
		for range 2 {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Errorf("Call: %v", err)
			}
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
		synctest.Wait()
		if handled != 1 {
			t.Errorf("%d calls were handled, want that the one in the mailbox was not", handled)
		}
		at.mu.Lock()
		defer at.mu.Unlock()
		for _, g := range at.guests {
			if len(g.serving) > 0 {
				t.Errorf("%d calls are still served", len(g.serving))
			}
		}
	})
}

func TestACancelThatOvertakesItsCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		g := newGate()
		close(g.open)
		w.serve(b, "s", Spec{Handle: g.handle})
		x := w.peer("x@h", b)
		x.write(replyShard, &frame{kind: frameCancel, call: 7})
		synctest.Wait()
		for _, id := range []uint64{7, 8} {
			x.write(0, &frame{kind: frameCall, call: id, sender: 1, target: to(b, "s"), codec: Raw, data: fmt.Append(nil, id)})
		}
		synctest.Wait()
		if got := g.all(); len(got) != 1 || got[0] != "8" {
			t.Errorf("handled %q, want the one that was not cancelled", got)
		}
	})
}

func TestCallsFailWhenTheLinkIsLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		ended := make(chan struct{}, 2)
		w.serve(b, "s", Spec{Workers: 2, Handle: func(ctx context.Context, _ Message) (any, error) {
			<-ctx.Done()
			ended <- struct{}{}
			return nil, ctx.Err()
		}})
		results := make(chan error, 2)
		for range 2 {
			go func() { _, err := a.Call(t.Context(), to(b, "s"), nil); results <- err }()
		}
		synctest.Wait()
		begin := time.Now()
		w.lose(a, b)
		for range 2 {
			if err := <-results; !errors.Is(err, ErrNoConnection) {
				t.Errorf("Call: %v", err)
			}
			<-ended // nobody waits for the answer
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("noticed after %v", took)
		}
		w.serve(b, "echo", Spec{Handle: echo})
		out, err := a.Call(t.Context(), to(b, "echo"), []byte("again"))
		if err != nil || text(out) != "again" {
			t.Errorf("over a new link: %q, %v", out, err)
		}
	})
}

func TestANodeThatCannotBeReached(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		nobody := ToName(name.MustNode("nobody@h"), name.MustService("s"))
		for _, err := range []error{a.Send(t.Context(), nobody, nil), a.Deliver(t.Context(), nobody, nil)} {
			if !errors.Is(err, ErrNoConnection) || !errors.Is(err, transport.ErrUnreachable) {
				t.Errorf("%v, want no connection, and why", err)
			}
		}
		for _, target := range []Target{{}, {Node: a.cfg.Node}, {Service: name.MustService("s")}, {Node: nobody.Node}} {
			if err := a.Send(t.Context(), target, nil); !errors.Is(err, ErrNoProcess) {
				t.Errorf("target %+v: %v", target, err)
			}
		}
	})
}

func TestAStreamThatIsRefusedFailsItsCalls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		g := newGate()
		w.serve(b, "s", Spec{Handle: g.handle})
		result := make(chan error, 1)
		go func() { _, err := a.Call(t.Context(), to(b, "s"), nil); result <- err }()
		synctest.Wait()
		before := w.move(a, b) // the stream of the call ends in good order
		synctest.Wait()
		before.end() // but its connection dies; the link is up all the time
		must(t, a.Send(t.Context(), to(b, "nobody"), nil))
		close(g.open)
		if err := <-result; err != nil {
			t.Errorf("a call that had been read: %v", err)
		}
	})
}

func TestAnswersThatAreNotReadDoNotStallTheService(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.serve(b, "big", Spec{Handle: func(context.Context, Message) (any, error) { return make([]byte, DefaultMaxPayload), nil }})
		x := w.peer("x@h", b)
		x.deaf() // never reads an answer
		for id := range uint64(6) {
			x.write(0, &frame{kind: frameCall, call: id + 1, sender: 1, target: to(b, "big")})
		}
		begin := time.Now()
		out, err := a.Call(t.Context(), to(b, "big"), nil)
		if err != nil || len(bytesOf(out)) != DefaultMaxPayload {
			t.Errorf("an honest caller gets %d bytes, %v", len(bytesOf(out)), err)
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("an honest caller waited %v for one that does not read", took)
		}
		if n := b.remote(x.node).replying.Load(); n > maxLargeReplies {
			t.Errorf("%d bytes of answers wait", n)
		}
	})
}

func TestMutualCallsWithMailboxesOfOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.serve(a, "s", Spec{Handle: echo, Mailbox: 1})
		w.serve(b, "s", Spec{Handle: echo, Mailbox: 1})
		const callers, each = 20, 50
		results := make(chan error, 2*callers)
		for i := range callers {
			for _, pair := range [][2]*Processes{{a, b}, {b, a}} {
				go func() { results <- callMany(t.Context(), pair[0], to(pair[1], "s"), i, each) }()
			}
		}
		for range 2 * callers {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func callMany(ctx context.Context, from *Processes, target Target, caller, n int) error {
	for i := range n {
		payload := bytes.Repeat([]byte{byte(caller)}, 100*i)
		out, err := from.Call(ctx, target, payload)
		if err != nil {
			return err
		}
		if !bytes.Equal(bytesOf(out), payload) {
			return fmt.Errorf("caller %d got the answer of another", caller)
		}
	}
	return nil
}

var _ io.Reader = (*end)(nil)
