package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// fragile is a part with one goroutine that panics whenever it is hit.
type fragile struct {
	tasks  *plugin.Tasks
	blows  chan string
	starts int
}

func newFragile(k *Kernel) *fragile {
	return &fragile{tasks: k.Tasks("fragile"), blows: make(chan string)}
}

func (f *fragile) Start(context.Context) error {
	f.starts++
	f.tasks.Go("loop", func(ctx context.Context) {
		select {
		case blow := <-f.blows:
			panic(blow)
		case <-ctx.Done():
		}
	})
	return nil
}

func (f *fragile) Stop(ctx context.Context) error { return f.tasks.Stop(ctx) }

// running is a started kernel with a fragile part and a witness that needs it.
func running(t *testing.T, opt Options) (*Kernel, *fragile, *diary) {
	t.Helper()
	d, k := &diary{}, New(opt)
	f := newFragile(k)
	if err := k.Assemble(Unit{Name: "fragile", Part: f}, d.unit("witness", "fragile")); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k, f, d
}

func mustStop(t *testing.T, k *Kernel) {
	t.Helper()
	if err := k.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func TestAPanicRestartsThePartAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		k, f, d := running(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		f.blows <- "pool is empty"
		synctest.Wait()
		if f.starts != 2 || k.Restarts("fragile") != 1 || k.Restarts("witness") != 0 {
			t.Errorf("starts %d, restarts %d and %d", f.starts, k.Restarts("fragile"), k.Restarts("witness"))
		}
		health := k.Health()[0]
		if health.State != plugin.Healthy || !strings.Contains(health.Detail, "task loop panicked: pool is empty") {
			t.Errorf("health %+v", health)
		}
		if n := strings.Count(log.String(), "debug.Stack()"); n != 1 || !strings.Contains(log.String(), "part=fragile") {
			t.Errorf("the log has %d stacks:\n%s", n, log.String())
		}
		mustStop(t, k)
		d.expect(t, "+witness", "-witness")
	})
}

func TestTheBudgetOfRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, f, _ := running(t, Options{})
		for range 10 {
			f.blows <- "boom"
			synctest.Wait()
		}
		if err := k.Err(); err != nil || f.starts != 11 {
			t.Fatalf("within the budget: %v, %d starts", err, f.starts)
		}
		f.blows <- "boom"
		err := <-k.Failed()
		want := "part fragile: restarted 10 times in 10s and broken again: task loop panicked: boom"
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %q, want %q", err, want)
		}
		if got := states(k); got["fragile"] != plugin.Failed || got["witness"] != plugin.Healthy {
			t.Errorf("states %v", got)
		}
		if len(f.tasks.Running()) != 0 {
			t.Errorf("a failed part still runs %v", f.tasks.Running())
		}
		mustStop(t, k)
		if k.Err() == nil {
			t.Error("Stop forgot why the node failed")
		}
	})
}

func TestTheBudgetIsPerWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, f, _ := running(t, Options{Budget: 2, Window: time.Second})
		for range 20 {
			f.blows <- "now and then"
			synctest.Wait()
			time.Sleep(600 * time.Millisecond)
		}
		if err := k.Err(); err != nil || k.Restarts("fragile") != 20 {
			t.Errorf("error %v after %d restarts", err, k.Restarts("fragile"))
		}
		mustStop(t, k)
	})
}

func TestARestartThatDoesNotComeUpIsTriedAgainUntilTheBudgetIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		starts := 0
		part := d.unitWith("a", func(context.Context) error {
			if starts++; starts > 1 {
				return errBroken
			}
			return nil
		}, nil)
		if err := errors.Join(k.Assemble(part), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		k.Tasks("a").Go("loop", func(context.Context) { panic("boom") })
		err := <-k.Failed()
		if !errors.Is(err, errBroken) || starts != 11 {
			t.Errorf("error %v after %d starts", err, starts)
		}
		mustStop(t, k)
	})
}

func TestARestartThatHangsFailsTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		release := make(chan struct{})
		part := d.unitWith("a", nil, ignoreContext(release))
		if err := errors.Join(k.Assemble(part), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		k.Tasks("a").Go("loop", func(context.Context) { panic("boom") })
		if err := <-k.Failed(); !strings.Contains(err.Error(), "part a: restart: did not return in time") {
			t.Errorf("error %v", err)
		}
		close(release)
		mustStop(t, k)
	})
}

func TestStopDuringARestartWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		starts := 0
		part := d.unitWith("a", func(ctx context.Context) error {
			if starts++; starts == 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, nil)
		if err := errors.Join(k.Assemble(part), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		k.Tasks("a").Go("loop", func(context.Context) { panic("boom") })
		synctest.Wait()
		mustStop(t, k)
		if err := k.Err(); err != nil || states(k)["a"] != plugin.Stopped {
			t.Errorf("error %v, states %v", err, states(k))
		}
		d.expect(t, "+a", "-a", "+a", "-a")
	})
}

func TestAPanicWhileStoppingRestartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		if err := errors.Join(k.Assemble(d.unit("a")), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		k.Tasks("a").Go("loop", func(ctx context.Context) {
			<-ctx.Done()
			panic("closed pool")
		})
		mustStop(t, k)
		d.expect(t, "+a", "-a")
	})
}

func TestManyPanicsAtOnceAreOneRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		if err := errors.Join(k.Assemble(d.unit("a")), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			k.Tasks("a").Go("loop", func(ctx context.Context) {
				<-ctx.Done()
				panic("all of us")
			})
		}
		k.Tasks("a").Go("first", func(context.Context) { panic("boom") })
		synctest.Wait()
		if n := k.Restarts("a"); n != 1 {
			t.Errorf("%d restarts", n)
		}
		mustStop(t, k)
	})
}

func TestAPartMayReportThatItIsBeyondHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		k := assembled(t, Options{}, d.unit("a"), d.unit("b"))
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.Fail("b", errBroken)
		k.Fail("a", errors.New("later"))
		if err := <-k.Failed(); !errors.Is(err, errBroken) || !errors.Is(k.Err(), errBroken) {
			t.Errorf("error %v, then %v", err, k.Err())
		}
		if states(k)["b"] != plugin.Failed {
			t.Errorf("states %v", states(k))
		}
		mustStop(t, k)
		k.Fail("b", errBroken)
		d.expect(t, "+a", "+b", "-b", "-a")
	})
}

func TestEventsTellALifeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, k := &diary{}, New(Options{})
		events := k.Events().Subscribe(64)
		defer events.Close()
		if err := errors.Join(k.Assemble(d.unit("a")), k.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		k.Tasks("a").Go("loop", func(context.Context) { panic("boom") })
		synctest.Wait()
		mustStop(t, k)
		var got []string
		for {
			e, _, err := events.Next(t.Context())
			if err != nil {
				break
			}
			got = append(got, fmt.Sprintf("%s %s %d", e.Part, e.State, e.Restarts))
		}
		want := "a starting 0, a ok 0, a starting 1, a ok 1, a stopping 1, a stopped 1"
		if strings.Join(got, ", ") != want {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

func TestAPanicOfNobodysGoroutineFailsTheNode(t *testing.T) {
	k := assembled(t, Options{})
	k.Tasks("sweeper").Go("sweep", func(context.Context) { panic("boom") })
	if err := <-k.Failed(); err.Error() != "part sweeper: task sweep panicked: boom" {
		t.Errorf("error %v", err)
	}
	mustStop(t, k)
}
