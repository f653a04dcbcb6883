// Package membershipfull is the membership "full": every node knows every other and
// keeps a link to each. It suits small clusters, up to some dozens of nodes, and tests;
// larger ones want a membership with partial views.
//
// What to believe and what to do is decided by core/machine/fullmesh. This package is
// its host: one goroutine owns the machine, takes inputs from a bounded inbox, keeps
// the timer, and does what the machine asks of the network. Reads (Members, View) are
// reads of a snapshot that goroutine leaves behind after each step.
//
//	membership:
//	  use: full
package membershipfull

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/core/machine/fullmesh"
	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Factory is how a catalog lists this plugin.
func Factory() membership.Factory {
	return plugin.Define("full", "everyone knows and links everyone; for small clusters", defaults, build)
}

var (
	_ membership.Plugin     = (*full)(nil)
	_ plugin.HealthReporter = (*full)(nil)
)

// full is the plugin.
type full struct {
	env      membership.Env
	settings Settings
	epoch    time.Time // what the machine's time counts from
	inbox    *inbox.Box[fullmesh.Input]
	state    atomic.Pointer[snapshot]

	mu      sync.Mutex
	running bool
	stopped chan struct{} // closed when the loop of this Start has ended
	waiting map[uint64]chan error
	lastID  uint64
}

func build(env membership.Env, s *Settings) (membership.Plugin, error) {
	f := &full{env: env, settings: *s, epoch: time.Now(), inbox: inbox.New[fullmesh.Input](), waiting: map[uint64]chan error{}}
	f.state.Store(&snapshot{self: fullmesh.Member{Node: env.Node, State: membership.Alive, Incarnation: env.Incarnation}})
	return f, nil
}

// Start begins to think. A machine that an earlier Start left behind is not used
// again, but what it knew is.
func (f *full) Start(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		return errors.New("membership full: runs already: stop it first")
	}
	l := newLoop(f)
	f.stopped = l.stopped
	f.inbox.Open()
	if !f.env.Tasks.Go("membership", l.run) {
		return fmt.Errorf("membership full: tasks are closed: %w", plugin.ErrGone)
	}
	f.running = true
	return nil
}

// Stop ends all goroutines and lets the links go. It does not leave.
func (f *full) Stop(ctx context.Context) error {
	if !f.isRunning() {
		return nil
	}
	if err := f.env.Tasks.Stop(ctx); err != nil {
		return fmt.Errorf("membership full: %w", err)
	}
	f.inbox.Close()
	f.release()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	return nil
}

// release ends the neighbourhood on paper: nobody watches it while the plugin is
// stopped.
func (f *full) release() {
	old := f.state.Load()
	next := &snapshot{self: old.self, left: old.left}
	for _, m := range old.others {
		if m.Neighbour {
			f.env.Network.Hold(m.Node, false)
			f.env.Emit(membership.Event{Type: membership.PeerDown, Node: m.Node, Incarnation: m.Incarnation, Endpoints: m.Endpoints, Reason: "stopped here"})
		}
		m.Neighbour = false
		next.others = append(next.others, m)
	}
	f.state.Store(next)
}

// Join enters the cluster through a node.
func (f *full) Join(ctx context.Context, through name.Node) error {
	return f.command(ctx, "join "+through.String(), func(id uint64) fullmesh.Input {
		return fullmesh.Join(id, through)
	})
}

// Leave says good-bye to the neighbours.
func (f *full) Leave(ctx context.Context) error { return f.command(ctx, "leave", fullmesh.Leave) }

// command hands a command to the loop and waits for its answer.
func (f *full) command(ctx context.Context, what string, input func(id uint64) fullmesh.Input) error {
	f.mu.Lock()
	if !f.running {
		f.mu.Unlock()
		return fmt.Errorf("%s: membership does not run: %w", what, plugin.ErrGone)
	}
	f.lastID++
	id, answer, stopped := f.lastID, make(chan error, 1), f.stopped
	f.waiting[id] = answer
	f.inbox.Add(input(id))
	f.mu.Unlock()
	defer f.unwait(id)
	select {
	case err := <-answer:
		return err
	case <-stopped:
		return fmt.Errorf("%s: membership stopped meanwhile: %w", what, plugin.ErrGone)
	case <-ctx.Done():
		f.inbox.Add(fullmesh.Cancel(id))
		return fmt.Errorf("%s: no answer yet: %w", what, ctx.Err())
	}
}

func (f *full) unwait(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, id)
}

func (f *full) answer(id uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer, ok := f.waiting[id]; ok {
		answer <- err
		delete(f.waiting, id)
	}
}

// Input takes one thing that happened on a link.
func (f *full) Input(in membership.Input) { f.inbox.Put(in) }

// Members is a read of the last snapshot.
func (f *full) Members() []membership.Member {
	return f.state.Load().members(f.epoch, f.env.Signer.Public(), f.env.Network.Self())
}

// View is a read of the last snapshot.
func (f *full) View() membership.View { return f.state.Load().view() }

func (f *full) isRunning() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running
}

// Health counts the members by state.
func (f *full) Health() plugin.Health {
	if !f.isRunning() {
		return plugin.Health{State: plugin.Stopped}
	}
	return plugin.Health{State: plugin.Healthy, Detail: f.state.Load().summary()}
}
