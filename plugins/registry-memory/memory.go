// Package registrymemory is the registry "memory": the services of this node, kept in
// memory and told to nobody. It suits a single node, tests, and clusters that address
// services by NAME@NODE only. It does not replicate: Lookup never lists a service of
// another node.
//
//	registry:
//	  use: memory
package registrymemory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

// Factory is how a catalog lists this plugin.
func Factory() registry.Factory {
	return plugin.Define("memory", "services of this node only; nothing is replicated", defaults, build)
}

var _ registry.Plugin = (*memory)(nil)

// memory is the plugin. mu is held by writers only, while they emit as well, so that
// events come in the order of the changes.
type memory struct {
	env      registry.Env
	settings Settings
	shown    *index.Index

	mu      sync.Mutex
	running bool
}

func build(env registry.Env, s *Settings) (registry.Plugin, error) {
	return &memory{env: env, settings: *s, shown: index.New(env.Node)}, nil
}

func (m *memory) Start(context.Context) error { m.run(true); return nil }

// Stop refuses writes from now on. Reads go on.
func (m *memory) Stop(context.Context) error { m.run(false); return nil }

func (m *memory) run(running bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = running
}

// Put registers an entry or replaces its metadata.
func (m *memory) Put(ctx context.Context, entry registry.Entry) error {
	if err := m.checkEntry(entry); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.writable(ctx, entry.Service); err != nil {
		return err
	}
	list := m.Lookup(entry.Service)
	at, found := m.shown.Search(list, entry.Ref)
	if !found && m.shown.Len() >= m.settings.MaxEntries {
		return fmt.Errorf("service %s: %d entries are the most here: raise registry.memory.max_entries: %w", entry.Service, m.settings.MaxEntries, registry.ErrFull)
	}
	entry.Meta = copyMeta(entry.Meta)
	if found {
		m.update(list[at], entry)
		return nil
	}
	entry.Since = time.Now().UTC().Round(0)
	m.shown.Apply(index.Change{Entry: entry})
	m.env.Emit(registry.Event{Type: registry.Registered, Entry: entry})
	return nil
}

// update replaces the metadata of an entry. The same metadata again is no news.
func (m *memory) update(old, entry registry.Entry) {
	if maps.Equal(old.Meta, entry.Meta) {
		return
	}
	entry.Since = old.Since
	m.shown.Apply(index.Change{Entry: entry})
	m.env.Emit(registry.Event{Type: registry.Updated, Entry: entry})
}

// Remove takes an entry back.
func (m *memory) Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error {
	if err := m.checkOwner(service, ref); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.writable(ctx, service); err != nil {
		return err
	}
	list := m.Lookup(service)
	at, found := m.shown.Search(list, ref)
	if !found {
		return fmt.Errorf("service %s: %s: %w", service, ref, registry.ErrNotFound)
	}
	gone := list[at]
	m.shown.Apply(index.Change{Entry: gone, Remove: true})
	event := registry.Event{Type: registry.Unregistered, Entry: gone}
	if reason != "" {
		event.Type, event.Reason = registry.EntryDown, reason
	}
	m.env.Emit(event)
	return nil
}

// Lookup is one atomic load and one map access.
func (m *memory) Lookup(service name.Service) []registry.Entry { return m.shown.Lookup(service) }

// List walks all services.
func (m *memory) List(prefix string) []registry.Count { return m.shown.List(prefix) }

// Input has nothing to hide or to show: every entry here is this node's own, and a node
// is always alive to itself.
func (m *memory) Input(registry.Input) {}

// writable says why nothing can be written now. The caller holds mu.
func (m *memory) writable(ctx context.Context, service name.Service) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("service %s: not changed: %w", service, err)
	}
	if !m.running {
		return fmt.Errorf("service %s: registry does not run: %w", service, plugin.ErrGone)
	}
	return nil
}

func (m *memory) checkEntry(entry registry.Entry) error {
	if err := m.checkOwner(entry.Service, entry.Ref); err != nil {
		return err
	}
	if err := m.env.Allowed(entry.Service, entry.Ref.Node); err != nil {
		return err
	}
	size := 0
	for key, value := range entry.Meta {
		size += len(key) + len(value)
	}
	if size > registry.MaxMeta || len(entry.Meta) > registry.MaxPairs {
		return fmt.Errorf("service %s: %d bytes in %d pairs, at most %d in %d: %w", entry.Service, size, len(entry.Meta), registry.MaxMeta, registry.MaxPairs, registry.ErrTooLarge)
	}
	return nil
}

// checkOwner: only this life of this node writes here.
func (m *memory) checkOwner(service name.Service, ref name.Ref) error {
	if service.IsZero() {
		return fmt.Errorf("service without a name: %w", name.ErrInvalid)
	}
	if ref.Node != m.env.Node || ref.Incarnation != m.env.Incarnation {
		return fmt.Errorf("service %s: %s is not of %s at incarnation %d: %w", service, ref, m.env.Node, m.env.Incarnation, registry.ErrNotOwner)
	}
	return nil
}

func copyMeta(meta map[string]string) map[string]string {
	if meta == nil {
		return map[string]string{}
	}
	return maps.Clone(meta)
}
