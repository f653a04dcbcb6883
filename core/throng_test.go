package core_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	membershiphyparview "github.com/barrelp2p/barrel/plugins/membership-hyparview"
)

// throng is many nodes of the default make-up, and what their memberships told.
type throng struct {
	t       *testing.T
	heralds []*herald

	mu    sync.Mutex
	told  []saying
	calls map[uint64]*cry
}

// saying is one event of one node.
type saying struct {
	by int
	at time.Time
	membership.Event
}

// herald is one node. Its membership is the real one; what it tells its host and what
// it is told passes by here.
type herald struct {
	membership.Plugin
	throng *throng
	at     int
	node   *core.Node
	env    membership.Env
	known  atomic.Int32 // members it has told of and not taken back
	kill   func()
}

// Input keeps the broadcasts that the test made for itself.
func (h *herald) Input(in membership.Input) {
	if in.Kind == membership.Broadcast && bytes.HasPrefix(in.Data, []byte(cryMark)) {
		h.throng.heard(h.at, in.Data[len(cryMark):])
		return
	}
	h.Plugin.Input(in)
}

// Health is that of the real one.
func (h *herald) Health() plugin.Health { return h.Plugin.(plugin.HealthReporter).Health() }

func (h *herald) tell(e membership.Event) {
	switch e.Type {
	case membership.MemberUp:
		h.known.Add(1)
	case membership.MemberDown, membership.MemberLeft:
		h.known.Add(-1)
	}
	h.throng.mu.Lock()
	h.throng.told = append(h.throng.told, saying{h.at, time.Now(), e})
	h.throng.mu.Unlock()
	h.env.Emit(e)
}

// membership is the default one of a node, in the hands of its herald.
func (h *herald) membership(changes ...func(*membershiphyparview.Settings)) core.Option {
	f := membershiphyparview.Factory()
	settings := f.Settings().(*membershiphyparview.Settings)
	for _, change := range changes {
		change(settings)
	}
	return core.WithMembership("hyparview", func(env membership.Env) (p membership.Plugin, err error) {
		h.env = env
		env.Emit = h.tell
		h.Plugin, err = f.New(env, settings)
		return h, err
	})
}

// herald makes the next herald; its node is the caller's to make.
func (c *throng) herald() *herald {
	h := &herald{throng: c, at: len(c.heralds)}
	c.heralds = append(c.heralds, h)
	return h
}

// newThrong starts nodes on the loopback network that all join through the first, as
// fast as they come up, the last few of them mortal.
func newThrong(t *testing.T, size, mortals int) *throng {
	t.Helper()
	c, f := &throng{t: t, calls: map[uint64]*cry{}}, newField(t)
	f.sets = append(f.sets, "bootstrap.contact_nodes="+throngName(0))
	for i := range size {
		h, cfg := c.herald(), f.load(throngName(i), t.TempDir())
		if i < size-mortals {
			h.node = f.run(f.make(cfg, h.membership()))
		} else {
			h.node, h.kill = f.mortal(cfg, h.membership())
		}
	}
	return c
}

func throngName(i int) string { return fmt.Sprintf("n%03d@127.0.0.1", i) }

// whole reports whether every node knows every other.
func (c *throng) whole() bool {
	return !slices.ContainsFunc(c.heralds, func(h *herald) bool { return int(h.known.Load()) < len(c.heralds)-1 })
}

// lacks says who does not know whom.
func (c *throng) lacks() (list string) {
	for _, h := range c.heralds {
		known, missing := alive(h.node), ""
		for _, other := range c.heralds {
			if node := other.node.Name(); !slices.Contains(known, node) {
				missing += " " + node.Base()
			}
		}
		if missing != "" {
			list += fmt.Sprintf("\n%s lacks%s", h.node.Name(), missing)
		}
	}
	return list
}

// since are the events of a type since a moment, about anybody or about one node.
func (c *throng) since(from time.Time, what membership.EventType, about name.Node) (found []saying) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.told {
		if e.Type == what && !e.at.Before(from) && (about.IsZero() || e.Node == about) {
			found = append(found, e)
		}
	}
	return found
}

// cry is one broadcast of the test and who has heard it.
type cry struct {
	began  time.Time
	heard  map[int]time.Duration
	missed int // still
	done   chan struct{}
}

const cryMark = "cry "

// shout broadcasts from one node and waits until all others have heard it, or long.
func (c *throng) shout(from int, number uint64) *cry {
	c.t.Helper()
	s := &cry{began: time.Now(), heard: map[int]time.Duration{}, missed: len(c.heralds) - 1, done: make(chan struct{})}
	c.mu.Lock()
	c.calls[number] = s
	c.mu.Unlock()
	if err := c.heralds[from].env.Network.Broadcast(binary.BigEndian.AppendUint64([]byte(cryMark), number)); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
	}
	return s
}

func (c *throng) heard(at int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.calls[binary.BigEndian.Uint64(data)]
	if _, twice := s.heard[at]; twice {
		c.t.Errorf("node %d was given a broadcast twice", at)
		return
	}
	s.heard[at] = time.Since(s.began)
	if s.missed--; s.missed == 0 {
		close(s.done)
	}
}
