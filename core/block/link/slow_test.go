package link_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// A connection that takes its time to close holds up nobody who has others.
func TestASlowCloseHoldsUpNobodyElse(t *testing.T) {
	for what, provoke := range map[string]func(*testing.T, *world, *host, *host){
		"a later life": func(t *testing.T, w *world, a, _ *host) {
			again := w.nodeAt("peer@h", "", func(c *link.Config) { c.Incarnation = 2 })
			must(t, again.Connect(t.Context(), a.name, nil))
		},
		"an earlier life": func(t *testing.T, w *world, a, _ *host) {
			before := w.nodeAt("peer@h", "", func(c *link.Config) { c.Incarnation = 0 })
			_ = before.Connect(t.Context(), a.name, nil) // for a moment it may believe that it has a link
		},
	} {
		patience := time.After(10 * time.Second) // of the real clock: who waits for a lock stops the other
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var a, other *host
				closing := func() {}
				a = w.node("a@h", func(c *link.Config) {
					c.Transport = &line{Plugin: w.transportAt(name.MustNode("a@h"), ""), closing: func() { closing() }}
				})
				other, peer := w.node("other@h"), w.node("peer@h")
				a.connect(t, other)
				a.connect(t, peer)
				closing = sync.OnceFunc(func() {
					sent := make(chan struct{})
					go func() {
						defer close(sent)
						if err := a.Send(other.name, link.Membership, []byte("x")); err != nil {
							t.Error(err)
						}
					}()
					select {
					case <-sent:
					case <-patience:
						t.Error("a frame for another peer has to wait for the end of a close")
					}
				})
				provoke(t, w, a, peer)
				synctest.Wait()
				if got := lines(other, "frame"); len(got) != 1 {
					t.Errorf("the other peer got %q", got)
				}
			})
		})
	}
}

// A connection that takes its time to close keeps no other from being closed at the end.
func TestAStopClosesAllConnectionsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		closing := func() {}
		a := w.node("a@h", func(c *link.Config) {
			c.Transport = &line{Plugin: w.transportAt(name.MustNode("a@h"), ""), closing: func() { closing() }}
		})
		peers := []*host{w.node("b@h"), w.node("c@h")}
		for _, p := range peers {
			a.connect(t, p)
		}
		var first atomic.Bool
		closing = func() {
			if !first.Swap(true) {
				time.Sleep(time.Minute)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("stopped after %v: %v", time.Since(began), err)
		}
		synctest.Wait()
		if down := len(lines(peers[0], "down")) + len(lines(peers[1], "down")); down != 1 {
			t.Errorf("%d of the peers were told, want all but the one whose connection takes its time", down)
		}
	})
}
