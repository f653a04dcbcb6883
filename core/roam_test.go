package core

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// roaming runs a roamer in virtual time until the test ends.
func roaming(t *testing.T, astray func() []name.Node, follow func(context.Context, name.Node, bool)) (stop func()) {
	tasks := plugin.NewTasks(func(p plugin.Panic) { t.Errorf("%v", p) })
	r := &roamer{
		astray: astray, follow: follow, ended: make(chan name.Node, maxRoaming),
		start: func(run func(context.Context)) bool { return tasks.Go("roam", run) },
	}
	tasks.Go("roam", r.run)
	return func() {
		if err := tasks.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// A link that cannot move is tried less and less often, and one that has gone astray
// anew at once again.
func TestRoamingBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Bool
		lost.Store(true)
		far := name.MustNode("far@h")
		var tried, first int
		stop := roaming(t, func() []name.Node {
			if lost.Load() {
				return []name.Node{far}
			}
			return nil
		}, func(_ context.Context, _ name.Node, again bool) {
			if tried++; !again {
				first++
			}
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if tried < 12 || tried > 20 || first != 1 {
			t.Errorf("tried %d times in 10 minutes, %d as the first; want 12 to 20, and 1", tried, first)
		}
		lost.Store(false)
		time.Sleep(2 * roamCheck)
		synctest.Wait()
		tried = 0
		lost.Store(true)
		time.Sleep(2 * roamCheck)
		stop()
		if tried == 0 || first != 2 {
			t.Errorf("astray anew: tried %d times, %d as the first in all; want it at once", tried, first)
		}
	})
}

// Links that take all the time there is keep few others waiting, and stopping waits for
// what is under way.
func TestManyLinksRoamAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var nodes []name.Node
		for i := range 2 * maxRoaming {
			nodes = append(nodes, name.MustNode("n"+strconv.Itoa(i)+"@h"))
		}
		var mu sync.Mutex
		begun, now, most := map[name.Node]int{}, 0, 0
		stop := roaming(t, func() []name.Node { return nodes }, func(ctx context.Context, node name.Node, _ bool) {
			mu.Lock()
			begun[node]++
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
		})
		time.Sleep(roamCheck + roamTime + time.Millisecond)
		stop()
		if len(begun) != len(nodes) || most != maxRoaming || now != 0 {
			t.Errorf("%d of %d tried after %v, %d at once, %d still under way", len(begun), len(nodes), roamTime, most, now)
		}
	})
}

// What does not move is told loudly once.
func TestRoamingIsToldOnce(t *testing.T) {
	var levels []slog.Level
	l := &life{log: slog.New(levelsOf{&levels})}
	l.tellMoved(t.Context(), name.MustNode("far@h"), Moved{}, errors.New("no way"), false)
	l.tellMoved(t.Context(), name.MustNode("far@h"), Moved{}, errors.New("no way"), true)
	l.tellMoved(t.Context(), name.MustNode("far@h"), Moved{}, ErrNoLink, false)
	if len(levels) != 2 || levels[0] != slog.LevelWarn || levels[1] != slog.LevelDebug {
		t.Errorf("told at %v", levels)
	}
}

// levelsOf keeps at which levels something was said.
type levelsOf struct{ levels *[]slog.Level }

func (h levelsOf) Enabled(context.Context, slog.Level) bool { return true }

func (h levelsOf) Handle(_ context.Context, r slog.Record) error {
	*h.levels = append(*h.levels, r.Level)
	return nil
}
func (h levelsOf) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h levelsOf) WithGroup(string) slog.Handler      { return h }
