package service

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Config is what the block works with; all fields are required but Distances and Allow.
type Config struct {
	Node     name.Node
	Registry Registry
	// Bind and Unbind make a process reachable under a name on this node.
	Bind   func(service name.Service, ref name.Ref) error
	Unbind func(service name.Service, ref name.Ref)
	// Distances are the round-trip times to linked nodes; asked once a second, not
	// changed afterwards.
	Distances func() map[name.Node]time.Duration
	Tasks     *plugin.Tasks
	Log       *slog.Logger
}

// Registry is the registry slot.
type Registry interface {
	Put(ctx context.Context, entry registry.Entry) error
	Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error
	Lookup(service name.Service) []registry.Entry
	List(prefix string) []registry.Count
}

// Services is the block. All methods are safe for concurrent use; it is a plugin.Part.
type Services struct {
	cfg     Config
	finder  registry.Finder // nil: the registry cannot look further than its own memory
	far     atomic.Pointer[distances]
	choices [choiceSlots]atomic.Pointer[choice]

	mu       sync.Mutex
	held     map[name.Service]map[name.Ref]*Registration
	watchers map[*Watcher]struct{}
	waiting  map[name.Service]*waiter
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Services {
	s := &Services{
		cfg: cfg, held: map[name.Service]map[name.Ref]*Registration{},
		watchers: map[*Watcher]struct{}{}, waiting: map[name.Service]*waiter{},
	}
	s.finder, _ = cfg.Registry.(registry.Finder)
	s.far.Store(&distances{})
	return s
}

// distancesEvery is how often it is looked who is near.
const distancesEvery = time.Second

// Start begins to look who is near.
func (s *Services) Start(context.Context) error {
	if s.cfg.Distances == nil {
		return nil
	}
	s.cfg.Tasks.Go("distances", func(ctx context.Context) {
		tick := time.NewTicker(distancesEvery)
		defer tick.Stop()
		for {
			s.measure()
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return nil
}

// Stop ends what waits here. Registrations go with the node.
func (s *Services) Stop(ctx context.Context) error {
	s.mu.Lock()
	for w := range maps.Clone(s.watchers) {
		s.drop(w)
	}
	s.mu.Unlock()
	return s.cfg.Tasks.Stop(ctx)
}

// Lookup lists all instances of a service that are visible here, this node's own first,
// then by reference. It is a read of memory; the caller must not change the answer.
func (s *Services) Lookup(service name.Service) []registry.Entry {
	return s.cfg.Registry.Lookup(service)
}

// LookupLocal lists the instances on this node.
func (s *Services) LookupLocal(service name.Service) []registry.Entry {
	list := s.cfg.Registry.Lookup(service)
	n := 0
	for n < len(list) && list[n].Ref.Node == s.cfg.Node {
		n++
	}
	return list[:n:n]
}

// List lists the names that start with prefix, and how many instances each has, sorted
// by name.
func (s *Services) List(prefix string) []registry.Count { return s.cfg.Registry.List(prefix) }

// Observe takes the events of the registry, in order. It does not block.
func (s *Services) Observe(e registry.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		w.take(e)
	}
	if e.Type == registry.Registered {
		s.arrived(e.Entry.Service)
	}
}
