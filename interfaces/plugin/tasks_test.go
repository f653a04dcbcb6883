package plugin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noPanics(t *testing.T) *plugin.Tasks {
	t.Helper()
	return plugin.NewTasks(func(p plugin.Panic) { t.Errorf("unexpected: %v", p) })
}

func untilDone(ctx context.Context) { <-ctx.Done() }

func TestStopEndsTheContextAndWaits(t *testing.T) {
	tasks := noPanics(t)
	ended := false
	tasks.Go("reader", func(ctx context.Context) {
		<-ctx.Done()
		ended = true
	})
	tasks.Go("accept", untilDone)
	if got := tasks.Running(); !slices.Equal(got, []string{"accept", "reader"}) {
		t.Errorf("running: %v", got)
	}
	if err := tasks.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !ended || len(tasks.Running()) != 0 {
		t.Errorf("after Stop: ended %v, running %v", ended, tasks.Running())
	}
}

func TestAGroupCanBeUsedAgainAfterStopAndNotAfterClose(t *testing.T) {
	tasks := noPanics(t)
	for range 3 {
		if !tasks.Go("again", untilDone) {
			t.Fatal("refused after Stop")
		}
		if err := errors.Join(tasks.Stop(t.Context()), tasks.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tasks.Close(t.Context()), tasks.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if tasks.Go("late", untilDone) {
		t.Error("a closed group ran a task")
	}
}

func TestStopNamesWhatStillRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := noPanics(t)
		release := make(chan struct{})
		tasks.Go("stubborn", func(context.Context) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := tasks.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stubborn") {
			t.Errorf("error %v does not name the task", err)
		}
		if tasks.Go("next", untilDone) {
			t.Error("a task ran while the group was stopping")
		}
		close(release)
		if err := tasks.Stop(t.Context()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
	})
}

func TestAPanicIsReportedBeforeStopReturns(t *testing.T) {
	var mu sync.Mutex
	var got []plugin.Panic
	tasks := plugin.NewTasks(func(p plugin.Panic) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, p)
	})
	for range 10 {
		tasks.Go("reader", func(ctx context.Context) {
			<-ctx.Done()
			panic("pool is empty")
		})
	}
	if err := tasks.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 10 {
		t.Fatalf("%d panics reported, want 10", len(got))
	}
	if got[0].Error() != "task reader panicked: pool is empty" {
		t.Errorf("text: %s", got[0].Error())
	}
	if !strings.Contains(string(got[0].Stack), "tasks_test.go") {
		t.Errorf("the stack does not lead to the panic:\n%s", got[0].Stack)
	}
}

// A Stop that notices late that all is over must not touch the tasks of the next life:
// they would never hear that they are to end, and Close would wait for ever.
func TestConcurrentStopsLeaveTheNextLifeAlone(t *testing.T) {
	for range 500 {
		tasks := noPanics(t)
		tasks.Go("first", untilDone)
		var late sync.WaitGroup
		for range 3 {
			late.Go(func() { _ = tasks.Stop(t.Context()) })
		}
		if err := tasks.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		tasks.Go("second", untilDone)
		late.Wait()
		if err := tasks.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGoAndStopTogether(t *testing.T) {
	tasks := noPanics(t)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 200 {
				tasks.Go("short", func(context.Context) {})
			}
		})
		users.Go(func() {
			for range 50 {
				if err := tasks.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	if err := tasks.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
