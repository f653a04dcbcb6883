package core_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// What a node was doing for others when it is stopped ends with an error for them, at
// once, and it does not come back to tell them more.
func TestCallsOfAStoppingNodeEnd(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"obeys", "answers late"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a := w.boot(named(seed1) + table)
			b := w.boot(named(seed2) + contacts + table)
			eventually(t, "they know each other", knowEachOther(a, b))
			offer(t, b, "slow", func(ctx context.Context, _ core.Message) (any, error) {
				<-ctx.Done()
				if how == "answers late" {
					time.Sleep(500 * time.Millisecond)
				}
				return []byte("late"), nil
			})
			result := make(chan error, 1)
			go func() {
				_, err := a.Call(t.Context(), "slow@"+seed2, nil)
				result <- err
			}()
			synctest.Wait()
			seen := record(t, a)
			began := time.Now()
			stop(t, b)
			if err := <-result; !isEither(err, core.ErrStopped, core.ErrNoConnection) {
				t.Errorf("the call ended with %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: it took %v", how, took)
			}
			time.Sleep(time.Minute)
			if story := seen.story(); slices.ContainsFunc(story, func(s string) bool { return strings.HasPrefix(s, "link up") }) {
				t.Errorf("%s: it came back: %v", how, story)
			}
		})
	}
}

// Who waits for a node that is told to stop gets the answer, if that does not take too
// long.
func TestAStoppingNodeFinishesItsWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.boot(named(seed1) + table)
		b := w.boot(named(seed2) + contacts + table)
		eventually(t, "they know each other", knowEachOther(a, b))
		offer(t, b, "slow", func(context.Context, core.Message) (any, error) {
			time.Sleep(time.Second)
			return []byte("done"), nil
		})
		result := make(chan error, 1)
		go func() {
			_, err := a.Call(t.Context(), "slow@"+seed2, nil)
			result <- err
		}()
		synctest.Wait()
		stop(t, b)
		if err := <-result; err != nil {
			t.Errorf("the call ended with %v", err)
		}
	})
}

// A call may take longer than a link lives that nobody uses.
func TestALongCallKeepsItsLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const cookie = `
auth: {cookie: a long shared secret, cookie_only: ["*@*"]}
links: {idle_after: 1m, sweep: 10s}
`
		w := newWorld(t)
		a := w.boot(named(seed1) + cookie + table)
		b := w.boot(named(seed2) + cookie + table)
		offer(t, b, "slow", func(ctx context.Context, _ core.Message) (any, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(20 * time.Minute):
				return []byte("done"), nil
			}
		})
		out, err := a.Call(t.Context(), "slow@"+seed2, nil)
		if err != nil || string(out) != "done" {
			t.Errorf("after 20 minutes: %q, %v", out, err)
		}
		time.Sleep(5 * time.Minute)
		if links := adminOf(t, a).Links(); len(links) > 0 {
			t.Errorf("links %+v, want none: nobody uses them", links)
		}
	})
}

// A handler that does not listen holds nobody up for longer than the stop may take.
func TestAStuckHandlerDoesNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	f := newLab(t)
	n := f.start("a@127.0.0.1")
	release, entered := make(chan struct{}), make(chan struct{})
	defer close(release)
	offer(t, n, "stuck", func(context.Context, core.Message) (any, error) {
		close(entered)
		<-release
		return nil, nil
	})
	if err := n.Send(t.Context(), "stuck", nil); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	began := time.Now()
	if err := n.Stop(ctx); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("stop: %v, want the part that is stuck", err)
	}
	within(t, "stopping", began, patience)
	if _, err := n.Admin(); !errors.Is(err, core.ErrNotRunning) {
		t.Errorf("after it: %v", err)
	}
}

// Who has no time to wait stops the node all the same.
func TestStopWithoutTime(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a, b := f.pair()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	err := a.Stop(ctx)
	t.Logf("stop: %v", err)
	within(t, "stopping", began, patience)
	eventually(t, "it is gone at the other", func() bool { return stateAt(b, a.Name()) != "alive" })
	again := f.make(f.load("a@127.0.0.1", t.TempDir()))
	f.run(again)
}

// A service that is taken back after its node has stopped is gone already.
func TestClosingARegistrationLate(t *testing.T) {
	t.Parallel()
	f := newLab(t)
	n := f.start("a@127.0.0.1")
	r := offer(t, n, "echo", echo)
	stop(t, n)
	if err := r.Close(); err != nil {
		t.Errorf("after the stop: %v", err)
	}
	f.run(n)
	if found := n.Lookup(name.MustService("echo")); len(found) > 0 {
		t.Errorf("in the next life: %v", found)
	}
}
