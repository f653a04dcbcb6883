package kernel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

var errBroken = errors.New("port 9100 is taken")

func broken(context.Context) error { return errBroken }

func TestTheFirstFailureStopsWhatWasStarted(t *testing.T) {
	d := &diary{}
	k := assembled(t, Options{}, d.unit("a"), d.unit("b"), d.unitWith("c", broken, nil), d.unit("d"))
	err := k.Start(t.Context())
	if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "part c: start: ") {
		t.Errorf("error %v does not name the part and the reason", err)
	}
	d.expect(t, "+a", "+b", "+c", "-c", "-b", "-a")
	if got := states(k); got["b"] != plugin.Stopped || got["d"] != plugin.New {
		t.Errorf("states afterwards: %v", got)
	}
}

func TestEveryStopIsAttemptedAndEveryErrorTold(t *testing.T) {
	d := &diary{}
	k := assembled(t, Options{},
		d.unitWith("a", nil, broken), d.unit("b"), d.unitWith("c", nil, func(context.Context) error { panic("oops") }))
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := k.Stop(t.Context())
	for _, want := range []string{"part a: stop: port 9100 is taken", "part c: stop: task stop panicked: oops"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	d.expect(t, "+a", "+b", "+c", "-c", "-b", "-a")
	if err := k.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	d.expect(t, "+a", "+b", "+c", "-c", "-b", "-a")
}

func TestStopWithoutStart(t *testing.T) {
	d := &diary{}
	k := assembled(t, Options{}, d.unit("a"))
	tasks := k.Tasks("never made")
	tasks.Go("early", func(ctx context.Context) { <-ctx.Done() })
	for range 2 {
		if err := k.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.expect(t)
	if err := k.Start(t.Context()); !errors.Is(err, ErrStopping) {
		t.Errorf("Start after Stop: %v", err)
	}
	if tasks.Go("late", func(context.Context) {}) {
		t.Error("a task ran after Stop")
	}
}

func TestOneLife(t *testing.T) {
	d := &diary{}
	k := New(Options{})
	if err := k.Start(t.Context()); err == nil {
		t.Error("started without Assemble")
	}
	k = assembled(t, Options{}, d.unit("a"))
	if err := k.Assemble(d.unit("b")); err == nil {
		t.Error("assembled twice")
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPanicInStartIsAnError(t *testing.T) {
	d := &diary{}
	k := assembled(t, Options{}, d.unit("a"),
		d.unitWith("b", func(context.Context) error { panic("no such device") }, nil))
	err := k.Start(t.Context())
	var p plugin.Panic
	if !errors.As(err, &p) || p.Value != "no such device" || !strings.HasPrefix(err.Error(), "part b: start: ") {
		t.Errorf("error %v", err)
	}
	d.expect(t, "+a", "+b", "-b", "-a")
}

func TestAHangingStartIsBoundedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		release := make(chan struct{})
		k := assembled(t, Options{StopTimeout: 4 * time.Second}, d.unit("a"), d.unitWith("b", ignoreContext(release), nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		err := k.Start(ctx)
		if took := time.Since(begun); took > time.Minute+5*time.Second {
			t.Errorf("Start took %v", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "part b: start: did not return in time") {
			t.Errorf("error %v", err)
		}
		d.expect(t, "+a", "+b", "-a")
		close(release)
		synctest.Wait()
		d.expect(t, "+a", "+b", "-a", "-b") // what came up too late is stopped at once
	})
}

func TestEachPartHasItsShareOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		shares := map[string]time.Duration{}
		var units []Unit
		for _, name := range []string{"a", "b", "c", "d"} {
			units = append(units, d.unitWith(name, nil, func(ctx context.Context) error {
				deadline, _ := ctx.Deadline()
				shares[name] = time.Until(deadline)
				if name == "d" {
					<-ctx.Done()
				}
				return ctx.Err()
			}))
		}
		k := assembled(t, Options{}, units...)
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		if err := k.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		want := map[string]time.Duration{"d": 2 * time.Second, "c": 2 * time.Second, "b": 3 * time.Second, "a": 6 * time.Second}
		for name, share := range want {
			if shares[name] != share {
				t.Errorf("%s had %v, want %v", name, shares[name], share)
			}
		}
	})
}

func TestAHangingStopIsLeftBehindAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		release := make(chan struct{})
		k := assembled(t, Options{StopTimeout: time.Second}, d.unit("a"), d.unitWith("b", nil, ignoreContext(release)), d.unit("c"))
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "part b: stop: did not return in time") {
			t.Errorf("error %v", err)
		}
		if got := states(k); got["a"] != plugin.Stopped || got["b"] != plugin.Stopping || got["c"] != plugin.Stopped {
			t.Errorf("states: %v", got)
		}
		close(release)
		if err := k.Stop(t.Context()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
		d.expect(t, "+a", "+b", "+c", "-c", "-b", "-a", "-b")
	})
}

func TestStopNamesThePartWhoseTaskDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		k := assembled(t, Options{StopTimeout: time.Second}, d.unit("a"))
		release := make(chan struct{})
		k.Tasks("a").Go("deaf", func(context.Context) { <-release })
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Stop(t.Context()); err == nil || err.Error() != "part a: stop: tasks [deaf] still run: context deadline exceeded" {
			t.Errorf("error %v", err)
		}
		close(release)
		if err := k.Stop(t.Context()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
	})
}

func TestStopDuringStartWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		k := assembled(t, Options{}, d.unit("a"), d.unitWith("b", func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, nil), d.unit("c"))
		started := make(chan error, 1)
		go func() { started <- k.Start(t.Context()) }()
		synctest.Wait()
		if err := k.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := <-started; !errors.Is(err, ErrStopping) {
			t.Errorf("Start: %v", err)
		}
		d.expect(t, "+a", "+b", "-b", "-a")
	})
}

func TestStartAndStopsTogetherLeaveNothingRunning(t *testing.T) {
	for range 100 {
		d := &diary{}
		k := assembled(t, Options{}, d.unit("a"), d.unit("b"), d.unit("c"))
		var all sync.WaitGroup
		all.Go(func() { _ = k.Start(t.Context()) })
		for range 3 {
			all.Go(func() {
				if err := k.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, name := range k.Order() {
			ups := slices.Index(d.read(), "+"+name)
			if down := slices.Index(d.read(), "-"+name); ups >= 0 && down < ups {
				t.Fatalf("%s was left running: %v", name, d.read())
			}
		}
	}
}

func TestTwoKernelsDoNotKnowEachOther(t *testing.T) {
	d1, d2 := &diary{}, &diary{}
	one, two := assembled(t, Options{}, d1.unit("a")), assembled(t, Options{}, d2.unit("a"))
	if err := errors.Join(one.Start(t.Context()), two.Start(t.Context()), one.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	if states(one)["a"] != plugin.Stopped || states(two)["a"] != plugin.Healthy {
		t.Errorf("states %v and %v", states(one), states(two))
	}
	if err := two.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
