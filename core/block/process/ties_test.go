package process

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// endsWith is the body of a process that ends as it is told.
func endsWith(ctx context.Context, self *Self) error {
	m, err := self.Receive(ctx)
	if err != nil {
		return err
	}
	switch what := m.Value().(type) {
	case string:
		if what == "panic" {
			panic("as told")
		}
		return errors.New(what)
	}
	return nil
}

func TestMonitorsTellWhy(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		end := func(act func(*Process)) error {
			proc := w.run(at, Spec{Run: endsWith})
			down, _ := from.Monitor(t.Context(), ToRef(proc.Ref()))
			synctest.Wait()
			act(proc)
			d := <-down
			if d.Target.Ref != proc.Ref() {
				t.Errorf("down %+v", d)
			}
			return d.Reason
		}
		send := func(v any) func(*Process) {
			return func(proc *Process) { must(t, from.Send(t.Context(), ToRef(proc.Ref()), v)) }
		}
		if err := end(send(nil)); err != nil {
			t.Errorf("a normal end: %v", err)
		}
		if err := end(send("words")); err == nil || ReasonText(err) == "" || !errors.Is(err, err) || statusOf(err) != statusError {
			t.Errorf("an error: %v", err)
		}
		for want, act := range map[error]func(*Process){
			ErrPanicked: send("panic"),
			ErrShutdown: (*Process).Stop,
			ErrKilled:   func(proc *Process) { must(t, from.Kill(t.Context(), proc.Ref())) },
			ErrBusy:     func(proc *Process) { must(t, from.Exit(t.Context(), proc.Ref(), ErrBusy)) },
		} {
			if err := end(act); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		gone := w.run(at, Spec{Run: func(context.Context, *Self) error { return nil }})
		<-gone.Done()
		for _, target := range []Target{ToRef(gone.Ref()), to(at, "nobody")} {
			down, _ := from.Monitor(t.Context(), target)
			if d := <-down; !errors.Is(d.Reason, ErrNoProcess) || ReasonText(d.Reason) != "noproc" {
				t.Errorf("%s: %v", target, d.Reason)
			}
		}
	})
}

func TestDownComesBehindTheLastMessage(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		const messages = 500
		begin := make(chan struct{})
		var to Target
		talker := w.run(at, Spec{Run: func(ctx context.Context, self *Self) error {
			<-begin
			for i := range messages {
				size := 10
				if i%100 == 7 {
					size = 2 * largeFrom
				}
				if err := self.Send(ctx, to, make([]byte, size)); err != nil {
					return err
				}
			}
			return nil
		}})
		got := 0
		watcher := w.run(from, Spec{Run: func(ctx context.Context, self *Self) error {
			self.Monitor(ctx, ToRef(talker.Ref()))
			to = ToRef(self.Ref())
			close(begin)
			for ; ; got++ {
				m, err := self.Receive(ctx)
				if err != nil || Is[Down](m) {
					return err
				}
			}
		}})
		<-watcher.Done()
		must(t, watcher.Reason())
		must(t, talker.Reason())
		if got != messages {
			t.Errorf("%d of %d messages came before the end", got, messages)
		}
	})
}

func TestDemonitorTakesTheNoticeBack(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		target := w.run(at, Spec{Run: endsWith})
		watcher := w.run(from, Spec{Run: func(ctx context.Context, self *Self) error {
			first := self.Monitor(ctx, ToRef(target.Ref()))
			second := self.Monitor(ctx, ToRef(target.Ref()))
			self.Demonitor(ToRef(target.Ref()), first)
			d, _, err := Receive[Down](ctx, self)
			if err == nil && d.Monitor != second {
				err = fmt.Errorf("down %+v, want number %d", d, second)
			}
			if self.Len() > 0 {
				err = errors.New("more came")
			}
			return err
		}})
		synctest.Wait()
		target.Stop()
		<-watcher.Done()
		must(t, watcher.Reason())
	})
}

func TestLinksCarryTheEndBothWays(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		chain := []*Process{w.run(at, Spec{Run: endsWith})}
		for i := range 4 { // across and back, each linked to the one before
			p := []*Processes{from, at}[i%2]
			chain = append(chain, w.run(p, Spec{Run: endsWith, Links: []name.Ref{chain[i].Ref()}}))
		}
		synctest.Wait()
		must(t, from.Send(t.Context(), ToRef(chain[2].Ref()), "boom"))
		for i, proc := range chain {
			<-proc.Done()
			if err := proc.Reason(); err == nil || err.Error() == "" {
				t.Errorf("process %d ended with %v", i, err)
			}
		}
	})
}

func TestTrappingTurnsExitsIntoMessages(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		target := w.run(at, Spec{Run: endsWith})
		quiet := w.run(at, Spec{Run: endsWith})
		got := make(chan Exit, 3)
		trapper := w.run(from, Spec{Trap: true, Run: func(ctx context.Context, self *Self) error {
			for _, proc := range []*Process{target, quiet} {
				if err := self.Link(ctx, proc.Ref()); err != nil {
					return err
				}
			}
			for {
				e, _, err := Receive[Exit](ctx, self)
				if err != nil {
					return err
				}
				got <- e
			}
		}})
		synctest.Wait()
		must(t, at.Kill(t.Context(), target.Ref()))
		if e := <-got; e.From != target.Ref() || !errors.Is(e.Reason, ErrKilled) {
			t.Errorf("exit %+v", e)
		}
		must(t, at.Send(t.Context(), ToRef(quiet.Ref()), nil))
		if e := <-got; e.From != quiet.Ref() || e.Reason != nil {
			t.Errorf("exit %+v", e)
		}
		must(t, at.Exit(t.Context(), trapper.Ref(), ErrBusy))
		if e := <-got; !errors.Is(e.Reason, ErrBusy) {
			t.Errorf("exit %+v", e)
		}
		must(t, at.Kill(t.Context(), trapper.Ref())) // cannot be trapped
		<-trapper.Done()
		if err := trapper.Reason(); !errors.Is(err, ErrKilled) {
			t.Errorf("ended with %v", err)
		}
		synctest.Wait()
		if n := len(from.ties.nodes) + len(at.ties.nodes); n > 0 {
			t.Errorf("%d ties are left", n)
		}
	})
}

func TestALostLinkBreaksTies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		target := w.run(b, Spec{Run: endsWith})
		for _, p := range []*Processes{a, b} {
			p.PeerUp(map[*Processes]*Processes{a: b, b: a}[p].cfg.Node, false)
		}
		linkedTo := w.run(a, Spec{Run: endsWith, Links: []name.Ref{target.Ref()}})
		nodes := make(chan any, 4)
		w.run(a, Spec{Run: func(ctx context.Context, self *Self) error {
			self.MonitorNodes(true)
			for {
				m, err := self.Receive(ctx)
				if err != nil {
					return err
				}
				nodes <- m.Value()
			}
		}})
		down, _ := a.Monitor(t.Context(), ToRef(target.Ref()))
		synctest.Wait()
		begin := time.Now()
		w.lose(a, b)
		if d := <-down; !errors.Is(d.Reason, ErrNoConnection) || ReasonText(d.Reason) != "noconnection" {
			t.Errorf("down %v", d.Reason)
		}
		<-linkedTo.Done()
		if err := linkedTo.Reason(); !errors.Is(err, ErrNoConnection) {
			t.Errorf("linked: %v", err)
		}
		<-target.Done() // the other end is linked too
		if took := time.Since(begin); took > 0 {
			t.Errorf("told after %v", took)
		}
		for _, want := range []any{NodeUp{b.cfg.Node}, NodeDown{b.cfg.Node}} {
			if got := <-nodes; got != want {
				t.Errorf("%T%v, want %T%v", got, got, want, want)
			}
		}
		w.refuse = errLost
		down, _ = a.Monitor(t.Context(), ToRef(target.Ref()))
		if d := <-down; !errors.Is(d.Reason, ErrNoConnection) {
			t.Errorf("monitor without a link: %v", d.Reason)
		}
	})
}

func TestWhoWasKilledHasNoVoice(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		sink := newGate()
		close(sink.open)
		w.serve(a, "s", Spec{Handle: sink.handle})
		killed := make(chan struct{})
		result := make(chan error, 1)
		zombie := w.run(a, Spec{Run: func(_ context.Context, self *Self) error {
			<-killed // whatever its context says
			result <- self.Send(context.Background(), to(a, "s"), "from the grave")
			return nil
		}})
		down, _ := a.Monitor(t.Context(), ToRef(zombie.Ref()))
		must(t, a.Kill(t.Context(), zombie.Ref()))
		if d := <-down; !errors.Is(d.Reason, ErrKilled) { // although it still runs
			t.Errorf("down %v", d.Reason)
		}
		close(killed)
		if err := <-result; !errors.Is(err, ErrKilled) {
			t.Errorf("Send: %v", err)
		}
	})
}
