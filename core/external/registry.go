package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Registry makes a factory of a registry in a process of its own. Its settings are a
// *plugin.Section. Reads are reads of this process's memory and go on while there is no
// other; writes are refused then. A new process is told what this node has registered
// and who is there; what the one before showed stays until the new one says otherwise,
// or until Options.Settle is over.
func Registry(spec Spec, opts Options) registry.Factory {
	return plugin.Define(spec.Name, "a plugin in a process of its own", noSection,
		func(env registry.Env, section *plugin.Section) (registry.Plugin, error) {
			if err := spec.validate(); err != nil {
				return nil, err
			}
			f := &registryFacade{
				shown: wire.NewShown(env), writes: make(chan struct{}, 1), mine: map[ownKey]registry.Entry{},
				members: map[name.Node]membership.Event{}, peers: map[name.Node]bool{},
			}
			f.guest = newGuest(spec, opts, env.Env, *section, []string{registry.Contract}, func(conn grpc.ClientConnInterface, _ wire.Description) *wire.Registry {
				return wire.NewRegistry(conn, env, f.shown)
			})
			f.guest.revived = f.tellAgain
			return f, nil
		})
}

// registryFacade is a registry whose processes come and go. mu is held while a process
// is told what happens, so that nothing overtakes what a new one is told first.
type registryFacade struct {
	*guest[*wire.Registry]

	shown *wire.Shown

	// Held over what is registered or taken back, and over each step of telling that to a
	// new process: what a process has and what is remembered do not come apart.
	writes chan struct{}

	mu      sync.Mutex
	fed     *wire.Registry // that knows what went before; nil: none
	mine    map[ownKey]registry.Entry
	members map[name.Node]membership.Event // the last of each member that says how it is
	peers   map[name.Node]bool
}

type ownKey struct {
	service name.Service
	ref     name.Ref
}

var (
	_ registry.Plugin       = (*registryFacade)(nil)
	_ registry.Finder       = (*registryFacade)(nil)
	_ plugin.Reloader       = (*registryFacade)(nil)
	_ plugin.HealthReporter = (*registryFacade)(nil)
	_ plugin.HealthTeller   = (*registryFacade)(nil)
	_ plugin.Hosted         = (*registryFacade)(nil)
	_ plugin.Replacer       = (*registryFacade)(nil)
	_ plugin.Facade         = (*registryFacade)(nil)
)

// Start starts the first process.
func (f *registryFacade) Start(ctx context.Context) error {
	if err := f.guest.Start(ctx); err != nil {
		return err
	}
	if live, _ := f.now(); live != nil {
		f.tellAgain(ctx, live.half)
	}
	return nil
}

// Lookup reads memory.
func (f *registryFacade) Lookup(service name.Service) []registry.Entry {
	return f.shown.Lookup(service)
}

// List reads memory.
func (f *registryFacade) List(prefix string) []registry.Count { return f.shown.List(prefix) }

// Put asks the plugin, and has every later process told.
func (f *registryFacade) Put(ctx context.Context, entry registry.Entry) error {
	entry.Meta = maps.Clone(entry.Meta)
	if err := f.write(ctx); err != nil {
		return err
	}
	defer f.written()
	err := f.do(ctx, func(ctx context.Context, r *wire.Registry) error { return r.Put(ctx, entry) })
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.mine[ownKey{entry.Service, entry.Ref}] = entry
	}
	return err
}

// Remove asks the plugin. While there is none it is an error, and the next process is
// not told of the entry.
func (f *registryFacade) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	if err := f.write(ctx); err != nil {
		return err
	}
	defer f.written()
	err := f.do(ctx, func(ctx context.Context, r *wire.Registry) error { return r.Remove(ctx, service, ref, reason) })
	if err == nil || errors.Is(err, plugin.ErrGone) || errors.Is(err, registry.ErrNotFound) {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.mine, ownKey{service, ref})
	}
	return err
}

// Find asks the plugin for as long as ctx lets it.
func (f *registryFacade) Find(ctx context.Context, service name.Service) error {
	if !f.Can(wire.AbilityFind) {
		return plugin.ErrUnsupported
	}
	_, err := callWithin(ctx, f.guest, 0, func(ctx context.Context, r *wire.Registry) (struct{}, error) {
		return struct{}{}, r.Find(ctx, service)
	})
	return err
}

// write waits for its turn to write, until written.
func (f *registryFacade) write(ctx context.Context) error {
	select {
	case f.writes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return f.named(context.Cause(ctx))
	}
}

func (f *registryFacade) written() { <-f.writes }

func (f *registryFacade) do(ctx context.Context, ask func(context.Context, *wire.Registry) error) error {
	_, err := call(ctx, f.guest, func(ctx context.Context, r *wire.Registry) (struct{}, error) {
		return struct{}{}, ask(ctx, r)
	})
	return err
}

// Input remembers what a new process has to know, and tells the one of the moment.
func (f *registryFacade) Input(in registry.Input) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remember(in)
	if live, _ := f.now(); live != nil && live.half == f.fed {
		f.fed.Input(in)
	}
}

// remember keeps the last word about each node. The caller holds mu.
func (f *registryFacade) remember(in registry.Input) {
	switch in.Kind {
	case registry.PeerUp:
		f.peers[in.Node] = true
	case registry.PeerDown:
		delete(f.peers, in.Node)
	case registry.Member:
		f.member(in.Event)
	case registry.Frame, registry.Broadcast:
	}
}

// member hides what an earlier process showed of a node that has ended: the next one
// will not hear of it. The caller holds mu.
func (f *registryFacade) member(e membership.Event) {
	switch e.Type {
	case membership.MemberUp:
		f.members[e.Node] = e
	case membership.MemberDown:
		delete(f.members, e.Node)
		f.shown.End(e.Node, e.Incarnation, "node down")
	case membership.MemberLeft:
		delete(f.members, e.Node)
		f.shown.End(e.Node, e.Incarnation, "node left")
	}
}

// tellAgain tells a new process who is there, and has it told what this node has
// registered. That takes as many calls as there are services, and who supervises the process
// has to see whether it stands still over them. What is shown because an earlier process
// showed it is hidden when the new one had time enough.
func (f *registryFacade) tellAgain(ctx context.Context, r *wire.Registry) {
	own := f.settled(ctx, r)
	f.env.Tasks.Go("settling of "+f.id, func(ctx context.Context) {
		f.registerAgain(ctx, r, own)
		if f.shown.Stale() > 0 {
			f.settle(ctx, r)
		}
	})
}

// registerAgain registers with a new process what this node has registered, for as long as
// it is the one.
func (f *registryFacade) registerAgain(ctx context.Context, r *wire.Registry, own []registry.Entry) {
	for _, entry := range own {
		if !f.serves(r) {
			return
		}
		if err := f.putAgain(ctx, r, entry); err != nil {
			f.env.Log.Warn("the new process of the plugin does not register again", "service", entry.Service, "error", err)
		}
	}
}

// settled introduces a process when nothing is being written to the one before, or when
// that has had the time of a call.
func (f *registryFacade) settled(ctx context.Context, r *wire.Registry) []registry.Entry {
	ctx, cancel := context.WithTimeout(ctx, f.runs().timeout())
	defer cancel()
	if f.write(ctx) == nil {
		defer f.written()
	}
	return f.introduce(r)
}

// putAgain registers with a new process what nobody has taken back meanwhile.
func (f *registryFacade) putAgain(ctx context.Context, r *wire.Registry, entry registry.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, f.runs().timeout())
	defer cancel()
	if err := f.write(ctx); err != nil {
		return err
	}
	defer f.written()
	f.mu.Lock()
	now, still := f.mine[ownKey{entry.Service, entry.Ref}]
	f.mu.Unlock()
	if !still {
		return nil
	}
	now.Since = entry.Since
	return r.Put(ctx, now)
}

// introduce feeds a process what went before, and returns what it has to register.
func (f *registryFacade) introduce(r *wire.Registry) (own []registry.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fed = r
	for node, e := range f.members {
		r.Input(registry.Input{Kind: registry.Member, Node: node, Event: e})
	}
	for node := range f.peers {
		r.Input(registry.Input{Kind: registry.PeerUp, Node: node})
	}
	for _, entry := range f.mine {
		if list := f.shown.Lookup(entry.Service); len(list) > 0 {
			entry.Since = sinceOf(list, entry)
		}
		own = append(own, entry)
	}
	return own
}

func sinceOf(list []registry.Entry, entry registry.Entry) time.Time {
	for _, e := range list {
		if e.Ref == entry.Ref {
			return e.Since
		}
	}
	return entry.Since
}

// settle hides what is still stale when a process had time to learn all there is, if it
// still is the one.
func (f *registryFacade) settle(ctx context.Context, r *wire.Registry) {
	if !sleep(ctx, f.opts.Settle, nil) || !f.serves(r) {
		return
	}
	if n := f.shown.Sweep("not known any more since the plugin was started again"); n > 0 {
		f.env.Log.Warn("services are not known any more since the plugin was started again", "services", n)
	}
}

// Health says besides how much is read from memory only.
func (f *registryFacade) Health() plugin.Health {
	h := f.guest.Health()
	stale := f.shown.Stale()
	if stale == 0 || h.State == plugin.Stopped {
		return h
	}
	return worse(h, fmt.Sprintf("stale: %d services are as an earlier process knew them", stale))
}
