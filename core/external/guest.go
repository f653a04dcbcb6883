package external

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// half is the host half of a kind, as far as every kind has it.
type half interface {
	comparable
	plugin.Part
	Describe(ctx context.Context, host string, contracts []string) (wire.Description, error)
	Configure(ctx context.Context, env plugin.Env, section map[string]any, contract string) ([]plugin.Problem, error)
	Change(ctx context.Context, section map[string]any) ([]plugin.Problem, error)
	Ask(ctx context.Context) (plugin.Health, error)
}

// guest is what the facades of all kinds have in common: the process of the moment, its
// host half, and the care for both.
type guest[H half] struct {
	id        string // kind/name
	label     string // how errors name it
	opts      Options
	env       plugin.Env
	contracts []string
	connect   func(grpc.ClientConnInterface, wire.Description) H
	revived   func(context.Context, H) // after a process took the place of another
	alone     bool                     // two processes cannot run at a time: each wants the same address
	tell      func(plugin.Health)
	room      chan struct{}

	turn    chan struct{} // held by who starts or ends processes
	sockets string        // the directory of their sockets

	mu       sync.Mutex
	spec     Spec // of the next process
	section  plugin.Section
	live     *running[H]   // nil: there is no process
	changed  chan struct{} // closed when live changes
	over     *GoneError    // how the last process ended
	said     wire.Description
	contract string
	health   plugin.Health
	restarts int
	launches uint64 // processes that were made
}

// running is a process and its host half.
type running[H half] struct {
	process *process
	half    H
}

func newGuest[H half](spec Spec, opts Options, env plugin.Env, section plugin.Section, contracts []string, connect func(grpc.ClientConnInterface, wire.Description) H) *guest[H] {
	opts = opts.withDefaults()
	return &guest[H]{
		id: spec.ID(), label: spec.label(), spec: spec, opts: opts, env: env, section: section, contracts: contracts, connect: connect,
		tell: func(plugin.Health) {}, revived: func(context.Context, H) {},
		room: make(chan struct{}, opts.Calls), turn: make(chan struct{}, 1),
		changed: make(chan struct{}), health: plugin.Health{State: plugin.New},
	}
}

// Start launches the process and starts the plugin in it. It fails if that fails: a
// program that never worked is a mistake of the settings and not an accident.
func (g *guest[H]) Start(ctx context.Context) error {
	if err := g.runs().validate(); err != nil {
		return err
	}
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	var err error
	if g.sockets, err = privateDir(g.opts.SocketDir, g.env.DataDir, g.id); err != nil {
		return fmt.Errorf("%s: directory of sockets: %w", g.label, err)
	}
	now, err := g.begin(ctx)
	if err != nil {
		return errors.Join(err, os.RemoveAll(g.sockets))
	}
	g.swap(now)
	health, err := now.half.Ask(ctx)
	if err != nil {
		health = plugin.Health{State: plugin.Healthy} // it started; the supervisor asks again
	}
	g.set(health)
	g.env.Tasks.Go("watch over "+g.id, g.supervise)
	return nil
}

// Stop stops the plugin and ends its process, by force if need be.
func (g *guest[H]) Stop(ctx context.Context) error {
	err := g.env.Tasks.Stop(ctx)
	if lockErr := g.lock(ctx); lockErr != nil {
		return errors.Join(err, lockErr)
	}
	defer g.unlock()
	old := g.swap(nil)
	g.set(plugin.Health{State: plugin.Stopped})
	err = errors.Join(err, g.retire(ctx, old))
	return errors.Join(err, os.RemoveAll(g.sockets))
}

// begin launches a process, gives it its settings and starts the plugin in it.
func (g *guest[H]) begin(ctx context.Context) (*running[H], error) {
	next, err := g.prepare(ctx)
	if err == nil {
		err = g.startIn(ctx, next)
	}
	if err != nil {
		return nil, err
	}
	return next, nil
}

// prepare launches a process and gives it its settings. What is wrong with either shows
// before anything is bound to an address or told to anybody.
func (g *guest[H]) prepare(ctx context.Context) (_ *running[H], err error) {
	p, err := launch(ctx, g.runs(), g.opts, g.sockets, g.contracts, g.env.Log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.label, err)
	}
	next := &running[H]{process: p, half: g.connect(p.conn, p.said)}
	return next, g.within(ctx, next, func(ctx context.Context) error {
		problems, err := next.half.Configure(ctx, g.launching(), g.settings(), p.contract)
		if len(problems) > 0 {
			return &plugin.SettingsError{Kind: g.runs().Kind, Name: g.runs().Name, Problems: problems}
		}
		return err
	})
}

// startIn starts the plugin in a process that is prepared.
func (g *guest[H]) startIn(ctx context.Context, next *running[H]) error {
	return g.within(ctx, next, next.half.Start)
}

// within does something with a new process in the time that a start may take. If it
// fails, the process is ended.
func (g *guest[H]) within(ctx context.Context, next *running[H], do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.opts.Start, fmt.Errorf("%w within %v", ErrNotReady, g.opts.Start))
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("%s: %w", g.label, next.process.lost(err)), next.process.end("ended: it could not be started"))
}

// launching is the environment of the next process, which knows how many came before.
func (g *guest[H]) launching() plugin.Env {
	g.mu.Lock()
	defer g.mu.Unlock()
	env := g.env
	env.Launch = g.launches
	g.launches++
	return env
}

// retire stops a plugin in good order, within the grace, and ends its process. That it
// had to be killed is for the log: it is gone, which is what was asked for. One that is
// not gone is an error.
func (g *guest[H]) retire(ctx context.Context, old *running[H]) error {
	if old == nil {
		return nil
	}
	stopping, cancel := context.WithTimeout(ctx, g.opts.Grace)
	err := old.half.Stop(stopping)
	cancel()
	if err != nil {
		err = errors.Join(fmt.Errorf("%s: stop: %w", g.label, old.process.lost(err)), old.process.end("killed: it did not stop"))
	} else if err = old.process.stop(ctx); err != nil {
		err = fmt.Errorf("%s: %w", g.label, err)
	}
	if err == nil || g.opts.Strict || errors.Is(err, errLeft) {
		return err
	}
	g.env.Log.Warn("the plugin was not stopped in good order", "error", err)
	return nil
}

func (g *guest[H]) lock(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", g.label, context.Cause(ctx))
	}
}

func (g *guest[H]) unlock() { <-g.turn }

// swap puts another process in, or none, and returns the one before.
func (g *guest[H]) swap(next *running[H]) (old *running[H]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old, g.live = g.live, next
	if next != nil {
		g.said, g.contract, g.over = next.process.said, next.process.contract, nil
	} else if old != nil {
		g.over = old.process.child.gone()
	}
	close(g.changed)
	g.changed = make(chan struct{})
	return old
}

// now is the process of the moment, nil if there is none, and what tells that this has
// changed.
func (g *guest[H]) now() (*running[H], <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.live, g.changed
}

// serves reports whether a host half is that of the process of the moment.
func (g *guest[H]) serves(half H) bool {
	live, _ := g.now()
	return live != nil && live.half == half
}

func (g *guest[H]) settings() plugin.Section {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.section
}

// feel notes the health and tells who wants to know.
func (g *guest[H]) feel(health plugin.Health) {
	if before := g.set(health); before != health {
		g.tell(health)
	}
}

// set notes the health.
func (g *guest[H]) set(health plugin.Health) (before plugin.Health) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, g.health = g.health, health
	return before
}

// OnHealth takes who wants to be told.
func (g *guest[H]) OnHealth(tell func(plugin.Health)) { g.tell = tell }

// Health is the last answer of the plugin, or what is known of it here.
func (g *guest[H]) Health() plugin.Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.health
}

// Process tells about the process of the moment.
func (g *guest[H]) Process() plugin.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := plugin.Process{Version: g.said.Version, Contract: g.contract, Restarts: g.restarts}
	if g.spec.Sandbox != nil {
		p.Sandbox = g.spec.Sandbox.String()
	}
	if g.live != nil {
		p.PID = int(g.live.process.child.pid.Load())
	}
	return p
}

// Can reports whether the plugin has an ability, as its last process said.
func (g *guest[H]) Can(ability string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.said.Can(ability)
}

// Reload gives the running plugin new settings. One that cannot take them while it runs
// is replaced by a new process.
func (g *guest[H]) Reload(ctx context.Context, settings any) error {
	section, ok := settings.(*plugin.Section)
	if !ok {
		return fmt.Errorf("%s: settings are a %T, not a %T", g.label, settings, section)
	}
	live, _ := g.now()
	if live == nil || !g.Can(wire.AbilityReload) {
		return g.exchange(ctx, g.runs(), *section)
	}
	problems, err := live.half.Change(ctx, *section)
	if len(problems) > 0 {
		err = &plugin.SettingsError{Kind: g.runs().Kind, Name: g.runs().Name, Problems: problems}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", g.label, live.process.lost(err))
	}
	g.mu.Lock()
	g.section = *section
	g.mu.Unlock()
	return nil
}

// guested is a facade with this kind of guest.
type guested[H half] interface{ own() *guest[H] }

func (g *guest[H]) own() *guest[H] { return g }

// Replace starts the process that next describes beside the old one and puts it in its
// place when it works. If it does not, the old one stays and nobody has noticed. Where
// two cannot run at a time see succeed.
func (g *guest[H]) Replace(ctx context.Context, next plugin.Part) error {
	other, ok := next.(guested[H])
	if !ok {
		return fmt.Errorf("%s: a %T cannot take its place", g.label, next)
	}
	return g.exchange(ctx, other.own().spec, other.own().settings())
}

// exchange is Replace with what it takes of next.
func (g *guest[H]) exchange(ctx context.Context, spec Spec, section plugin.Section) error {
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	oldSpec, oldSection := g.describe(spec, section)
	next, err := g.prepare(ctx)
	if err == nil && g.alone {
		return g.succeed(ctx, next, oldSpec, oldSection)
	}
	if err == nil {
		err = g.startIn(ctx, next)
	}
	if err != nil {
		g.describe(oldSpec, oldSection)
		return fmt.Errorf("%w; the old process stays", err)
	}
	return g.retire(ctx, g.install(ctx, next))
}

// succeed ends the old process and starts the plugin in the one that is to follow. If
// that fails, one of the old program is started again, by now or by the supervisor.
func (g *guest[H]) succeed(ctx context.Context, next *running[H], oldSpec Spec, oldSection plugin.Section) error {
	err := g.retire(ctx, g.swap(nil))
	if err == nil {
		err = g.startIn(ctx, next)
	} else {
		_ = next.process.end("ended: the one before it did not end")
	}
	if err == nil {
		g.install(ctx, next)
		return nil
	}
	g.describe(oldSpec, oldSection)
	err = fmt.Errorf("%w; the old program is started again", err)
	old, again := g.begin(ctx)
	if again != nil {
		return errors.Join(err, again)
	}
	g.install(ctx, old)
	return err
}

// install puts a process that works in, and returns the one before.
func (g *guest[H]) install(ctx context.Context, next *running[H]) (old *running[H]) {
	old = g.swap(next)
	g.feel(plugin.Health{State: plugin.Healthy})
	g.revived(ctx, next.half)
	return old
}

// describe changes what the next process is to be.
func (g *guest[H]) describe(spec Spec, section plugin.Section) (Spec, plugin.Section) {
	g.mu.Lock()
	defer g.mu.Unlock()
	oldSpec, oldSection := g.spec, g.section
	g.spec, g.section = spec, section
	return oldSpec, oldSection
}

func (g *guest[H]) runs() Spec {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.spec
}
