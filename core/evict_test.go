package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
)

// Nodes with small views that others join all the time throw their neighbours out a
// thousand times, and none of them is ever taken for down, or for suspect; and no service
// that one of them offers is ever hidden.
func TestAThousandEvictions(t *testing.T) {
	t.Parallel()
	size, evictions := 12, scaled(1000, 100)
	synctest.Test(t, func(t *testing.T) {
		c := newIslands(t, size, func(s *membershiphyparview.Settings) { s.ActiveSize = 3 })
		watched := c.offerEach(size)
		began := time.Now()
		for evicted := 0; evicted < evictions; evicted = c.evictions() {
			if time.Since(began) > 12*time.Hour {
				t.Fatalf("%d evictions in %v", evicted, time.Since(began))
			}
			from, to := rand.IntN(size), rand.IntN(size)
			if from != to {
				_ = c.heralds[from].node.Join(t.Context(), c.heralds[to].node.Name()) // one that was here a moment ago is refused
			}
			time.Sleep(time.Second)
		}
		t.Logf("%d evictions in %v", c.evictions(), time.Since(began))
		time.Sleep(time.Minute)
		for _, h := range c.heralds {
			if got := members(h.node, membership.Alive); got != size {
				t.Errorf("%s takes %d for alive, want %d", h.node.Name(), got, size)
			}
		}
		watched(evictions)
		for _, what := range []membership.EventType{membership.MemberDown, membership.MemberSuspect, membership.MemberLeft} {
			for _, e := range c.throng.since(time.Time{}, what, name.Node{}) {
				t.Errorf("n%d: %s of %s: %s", e.by, e.Type, e.Node, e.Reason)
			}
		}
	})
}

// offerEach has each node offer a service, waits until each sees all, and follows them
// everywhere. What it returns fails the test if one was ever seen to go.
func (is *islands) offerEach(size int) (check func(evictions int)) {
	t := is.throng.t
	t.Helper()
	var following sync.WaitGroup
	var mu sync.Mutex
	var gone []string
	ctx, cancel := context.WithCancel(context.Background())
	synced := make(chan struct{}, size)
	for i, h := range is.heralds {
		if _, err := h.node.Register(ctx, name.MustService(fmt.Sprint("of/n", i)), nil, func(context.Context, core.Message) (any, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range is.heralds {
		w, err := h.node.Watch("of/")
		if err != nil {
			t.Fatal(err)
		}
		following.Go(func() {
			defer w.Close()
			for seen := 0; ; {
				e, err := w.Next(ctx)
				if err != nil {
					return
				}
				switch e.Type {
				case registry.Registered:
					if seen++; seen == size {
						synced <- struct{}{}
					}
				case registry.Unregistered, registry.EntryDown:
					mu.Lock()
					gone = append(gone, fmt.Sprintf("%s: %s %s %s", h.node.Name(), e.Entry.Service, e.Type, e.Reason))
					mu.Unlock()
				}
			}
		})
	}
	for range size {
		<-synced
	}
	return func(evictions int) {
		cancel()
		following.Wait()
		if len(gone) > 0 {
			t.Errorf("services were hidden %d times in %d evictions: %.300q", len(gone), evictions, gone)
		}
		for _, h := range is.heralds {
			if got := len(h.node.List("of/")); got != size {
				t.Errorf("%s sees %d services of %d", h.node.Name(), got, size)
			}
		}
	}
}

// evictions counts the neighbours that had to go for others.
func (c *throng) evictions() (count int) {
	for _, e := range c.since(time.Time{}, membership.PeerDown, name.Node{}) {
		if e.Reason == "dropped" {
			count++
		}
	}
	return count
}
