// Package membershiphyparview is the membership "hyparview": for clusters of any size,
// with a handful of links per node. See README.md for its settings and its promises.
//
// What to believe and what to do is decided by core/machine/hyparview (who are my
// neighbours) and core/machine/liveness (who is alive). This package is their host: one
// goroutine takes inputs from a bounded inbox, lets the machines think, and does what
// they ask for. Between the two stands the book, which knows names, keys and signed
// records where the machines know numbers.
//
//	links ──► inbox ──► loop ──► mind ─┬─ hyparview     ┐
//	broadcasts ─┘        ▲             ├─ liveness      ├─► acts ──► Network, Emit
//	                     │             └─ book, timers  ┘     │
//	                     └────── dials, flushes, saves ◄──────┘
//
//	membership:
//	  use: hyparview
package membershiphyparview

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Factory is how a catalog lists this plugin.
func Factory() membership.Factory {
	return plugin.Define("hyparview", "a handful of neighbours each; for clusters of any size", defaults, build)
}

var (
	_ membership.Plugin     = (*host)(nil)
	_ plugin.HealthReporter = (*host)(nil)
)

// host is the plugin.
type host struct {
	env      membership.Env
	settings Settings
	epoch    time.Time // what the machines' time counts from
	box      *inbox.Box[own]

	mu      sync.Mutex // guards what follows, the mind too
	mind    *mind
	known   []liveness.Entry // what the mind before the next one believed
	book    *book
	left    bool
	running bool
	loaded  bool
	stopped chan struct{} // closed when the loop of this Start has ended

	saving  sync.Mutex   // held while the file of known members is written
	written []keptMember // what it says
	wrote   time.Time    // when
	chance  maphash.Seed // of whom it names if there are too many
}

// own is what the host tells its loop: exactly one field that says what.
type own struct {
	join    name.Node
	leave   bool
	flushed bool
	dialed  overlay.Peer
	err     error      // of the dial
	answer  chan error // of join and leave; room for one
}

func build(env membership.Env, s *Settings) (membership.Plugin, error) {
	h := &host{env: env, settings: *s, epoch: time.Now(), box: inbox.New[own](), chance: maphash.MakeSeed()}
	h.book = newBook(env, 2*s.MaxMembers+spareEntries)
	return h, nil
}

// spareEntries is how many nodes the book has room for beside the members.
const spareEntries = 1024

func (h *host) now() overlay.Time { return time.Since(h.epoch) }

// Start begins to think. What an earlier Start knew is not forgotten, but the links it
// had are made anew: nobody told the machines of them.
func (h *host) Start(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running {
		return errors.New("membership hyparview: runs already: stop it first")
	}
	h.load()
	h.mind = newMind(h)
	h.stopped = make(chan struct{})
	h.box.Open()
	l := &loop{h: h, mind: h.mind, stopped: h.stopped}
	if !h.env.Tasks.Go("membership", l.run) {
		return fmt.Errorf("membership hyparview: tasks are closed: %w", plugin.ErrGone)
	}
	h.running = true
	return nil
}

// Stop ends all goroutines and lets the links go. It does not leave.
func (h *host) Stop(ctx context.Context) error {
	if !h.isRunning() {
		return nil
	}
	if err := h.env.Tasks.Stop(ctx); err != nil {
		return fmt.Errorf("membership hyparview: %w", err)
	}
	h.box.Close()
	err := h.save()
	h.mu.Lock()
	h.known = h.mind.lv.Known()
	acts := h.mind.release()
	h.running = false
	h.mu.Unlock()
	l := &loop{h: h}
	for i := range acts {
		l.act(&acts[i])
	}
	return err
}

// Join enters the cluster through a node.
func (h *host) Join(ctx context.Context, through name.Node) error {
	if through == h.env.Node {
		return fmt.Errorf("join %s: that is this node itself: name another", through)
	}
	return h.command(ctx, "join "+through.String(), own{join: through})
}

// Leave says good-bye to the cluster.
func (h *host) Leave(ctx context.Context) error { return h.command(ctx, "leave", own{leave: true}) }

// command hands a command to the loop and waits for its answer.
func (h *host) command(ctx context.Context, what string, o own) error {
	h.mu.Lock()
	stopped, running := h.stopped, h.running
	h.mu.Unlock()
	if !running {
		return fmt.Errorf("%s: membership does not run: %w", what, plugin.ErrGone)
	}
	o.answer = make(chan error, 1)
	h.box.Add(o)
	select {
	case err := <-o.answer:
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	case <-stopped:
		return fmt.Errorf("%s: membership stopped meanwhile: %w", what, plugin.ErrGone)
	case <-ctx.Done():
		return fmt.Errorf("%s: no answer yet: %w", what, ctx.Err())
	}
}

// Input takes one thing that happened on a link or to the broadcasts.
func (h *host) Input(in membership.Input) { h.box.Put(in) }

func (h *host) isRunning() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}
