package external

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Discovery makes a factory of a discovery backend in a process of its own. Its
// settings are a *plugin.Section.
func Discovery(spec Spec, opts Options) discovery.Factory {
	return plugin.Define(spec.Name, "a plugin in a process of its own", noSection,
		func(env discovery.Env, section *plugin.Section) (discovery.Plugin, error) {
			if err := spec.validate(); err != nil {
				return nil, err
			}
			g := newGuest(spec, opts, env, *section, []string{discovery.Contract}, func(conn grpc.ClientConnInterface, _ wire.Description) *wire.Discovery {
				return wire.NewDiscovery(conn)
			})
			f := &discoveryFacade{guest: g}
			g.revived = f.publishAgain
			return f, nil
		})
}

func noSection() *plugin.Section { return &plugin.Section{} }

// discoveryFacade has every ability; those of the plugin that it lacks say
// plugin.ErrUnsupported.
type discoveryFacade struct {
	*guest[*wire.Discovery]

	mu        sync.Mutex
	published *discovery.Record // what the next process is to publish too
}

var (
	_ discovery.Plugin      = (*discoveryFacade)(nil)
	_ discovery.Publisher   = (*discoveryFacade)(nil)
	_ discovery.Lister      = (*discoveryFacade)(nil)
	_ discovery.Watcher     = (*discoveryFacade)(nil)
	_ plugin.Reloader       = (*discoveryFacade)(nil)
	_ plugin.HealthReporter = (*discoveryFacade)(nil)
	_ plugin.HealthTeller   = (*discoveryFacade)(nil)
	_ plugin.Hosted         = (*discoveryFacade)(nil)
	_ plugin.Replacer       = (*discoveryFacade)(nil)
	_ plugin.Facade         = (*discoveryFacade)(nil)
)

// Lookup asks the plugin.
func (f *discoveryFacade) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	return call(ctx, f.guest, func(ctx context.Context, d *wire.Discovery) (discovery.Answer, error) {
		return d.Lookup(ctx, node)
	})
}

// Publish passes a record on, and again to every process that comes after.
func (f *discoveryFacade) Publish(ctx context.Context, record discovery.Record) error {
	if !f.Can(wire.AbilityPublish) {
		return plugin.ErrUnsupported
	}
	f.remember(&record)
	return f.do(ctx, func(ctx context.Context, d *wire.Discovery) error { return d.Publish(ctx, record) })
}

// Withdraw takes it back.
func (f *discoveryFacade) Withdraw(ctx context.Context, node name.Node) error {
	if !f.Can(wire.AbilityPublish) {
		return plugin.ErrUnsupported
	}
	f.remember(nil)
	return f.do(ctx, func(ctx context.Context, d *wire.Discovery) error { return d.Withdraw(ctx, node) })
}

func (f *discoveryFacade) do(ctx context.Context, ask func(context.Context, *wire.Discovery) error) error {
	_, err := call(ctx, f.guest, func(ctx context.Context, d *wire.Discovery) (struct{}, error) {
		return struct{}{}, ask(ctx, d)
	})
	return err
}

func (f *discoveryFacade) remember(record *discovery.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.published = record
}

// publishAgain tells a new process what the one before knew.
func (f *discoveryFacade) publishAgain(ctx context.Context, d *wire.Discovery) {
	f.mu.Lock()
	record := f.published
	f.mu.Unlock()
	if record == nil || !f.Can(wire.AbilityPublish) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, f.runs().timeout())
	defer cancel()
	if err := d.Publish(ctx, *record); err != nil {
		f.env.Log.Warn("the new process of the plugin does not publish", "error", err)
	}
}

// List asks the plugin.
func (f *discoveryFacade) List(ctx context.Context) (discovery.Listing, error) {
	if !f.Can(wire.AbilityList) {
		return discovery.Listing{}, plugin.ErrUnsupported
	}
	return call(ctx, f.guest, func(ctx context.Context, d *wire.Discovery) (discovery.Listing, error) { return d.List(ctx) })
}

// Watch outlives processes: when one takes the place of another, anything may have
// changed.
func (f *discoveryFacade) Watch(ctx context.Context) (<-chan name.Node, error) {
	if !f.Can(wire.AbilityWatch) {
		return nil, plugin.ErrUnsupported
	}
	live, changed := f.now()
	if live == nil {
		return nil, f.named(f.gone())
	}
	out := make(chan name.Node)
	w := &watching{facade: f, out: out}
	w.ctx, w.cancel = context.WithCancel(ctx)
	changes, err := live.half.Watch(w.ctx)
	if err != nil {
		w.cancel()
		return nil, f.named(live.process.lost(err))
	}
	running := f.env.Tasks.Go("watch of "+f.id, func(stop context.Context) {
		defer close(out)
		defer w.cancel()
		defer context.AfterFunc(stop, w.cancel)()
		w.run(changes, changed)
	})
	if !running {
		w.cancel()
		return nil, f.named(plugin.ErrGone)
	}
	return out, nil
}

// watching is one watch.
type watching struct {
	facade *discoveryFacade
	out    chan<- name.Node
	ctx    context.Context
	cancel context.CancelFunc
}

// run passes changes on, from one process after the other.
func (w *watching) run(changes <-chan name.Node, changed <-chan struct{}) {
	for w.ctx.Err() == nil {
		w.pass(changes)
		var live *running[*wire.Discovery]
		for live == nil {
			select {
			case <-changed:
			case <-w.ctx.Done():
				return
			}
			live, changed = w.facade.now()
		}
		next, err := live.half.Watch(w.ctx)
		if err != nil {
			changes = nil // wait for the next process
			continue
		}
		changes = next
		if !w.tell(name.Node{}) {
			return
		}
	}
}

func (w *watching) pass(changes <-chan name.Node) {
	if changes == nil {
		return
	}
	for node := range changes {
		if !w.tell(node) {
			return
		}
	}
}

// tell waits for the reader; the host half holds back what comes meanwhile, within
// bounds.
func (w *watching) tell(node name.Node) bool {
	select {
	case w.out <- node:
		return true
	case <-w.ctx.Done():
		return false
	}
}
