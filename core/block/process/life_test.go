package process

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func TestStopAnswersAndStartWorksAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		for range 3 {
			w.serve(b, "s", Spec{Handle: newGate().handle})
			results := make(chan error, 3)
			for range 2 { // one is handled, one waits
				go func() { _, err := a.Call(t.Context(), to(b, "s"), nil); results <- err }()
			}
			go func() { _, err := b.Call(t.Context(), to(b, "s"), nil); results <- err }()
			synctest.Wait()
			begin := time.Now()
			must(t, b.Stop(t.Context()))
			must(t, b.Stop(t.Context()))
			for range 3 {
				if err := <-results; !errors.Is(err, ErrStopped) {
					t.Errorf("a call that a node stopped under: %v", err)
				}
			}
			if took := time.Since(begin); took > stopGrace {
				t.Errorf("Stop took %v", took)
			}
			if _, err := b.Spawn(Spec{Handle: echo}); !errors.Is(err, ErrStopped) {
				t.Errorf("Spawn: %v", err)
			}
			if err := b.Send(t.Context(), to(a, "s"), nil); !errors.Is(err, ErrStopped) {
				t.Errorf("Send: %v", err)
			}
			must(t, b.Start(t.Context()))
			w.serve(b, "echo", Spec{Handle: echo})
			w.serve(a, "echo", Spec{Handle: echo})
			for _, pair := range [][2]*Processes{{a, b}, {b, a}, {b, b}} {
				out, err := pair[0].Call(t.Context(), to(pair[1], "echo"), []byte("again"))
				if err != nil || text(out) != "again" {
					t.Errorf("after the start %s answers %s with %q, %v", pair[1].cfg.Node, pair[0].cfg.Node, out, err)
				}
			}
		}
	})
}

func TestStopDoesNotWaitForAPeerThatReadsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		x := w.peer("x@h", b)
		x.deaf()
		result := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				err = b.Send(t.Context(), to(w.nodes[x.node], "s"), make([]byte, 1<<20))
			}
			result <- err
		}()
		synctest.Wait()
		begin := time.Now()
		must(t, b.Stop(t.Context()))
		if took := time.Since(begin); took > 3*stopGrace+flushTime {
			t.Errorf("Stop took %v", took)
		}
		if err := <-result; !errors.Is(err, ErrStopped) {
			t.Errorf("Send: %v", err)
		}
		if n := b.DeadLetters()["stopped"]; n == 0 {
			t.Error("what could not be written is counted nowhere")
		}
	})
}

func TestAHandlerThatDoesNotEndIsNamed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		end := make(chan struct{})
		w.serve(b, "s", Spec{Handle: func(context.Context, Message) (any, error) { <-end; return nil, nil }})
		result := make(chan error, 1)
		go func() { _, err := a.Call(t.Context(), to(b, "s"), nil); result <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := b.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v, want that it names what still runs", err)
		}
		close(end)
		must(t, b.Stop(t.Context()))
		if err := <-result; !errors.Is(err, ErrNoConnection) {
			t.Errorf("the call that was not answered: %v", err)
		}
	})
}

func TestSpawnBeforeStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.node("a@h")
		cfg := p.cfg
		cfg.Tasks = plugin.NewTasks(func(p plugin.Panic) { t.Error(p) })
		fresh := New(cfg)
		defer func() { must(t, fresh.Stop(t.Context())) }()
		proc, err := fresh.Spawn(Spec{Handle: echo})
		must(t, err)
		must(t, fresh.Start(t.Context()))
		out, err := fresh.Call(t.Context(), ToRef(proc.Ref()), []byte("x"))
		if err != nil || text(out) != "x" {
			t.Errorf("%q, %v", out, err)
		}
	})
}
