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
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Factory is how a catalog lists this plugin.
func Factory() registry.Factory {
	return plugin.Define("memory", "services of this node only; nothing is replicated", defaults, build)
}

var _ registry.Plugin = (*memory)(nil)

// shards is into how many immutable maps the services are divided: a write copies one.
const shards = 256

// services maps each service of a shard to its entries, sorted by reference. Neither
// the map nor anything in it changes once it is published.
type services map[name.Service][]registry.Entry

// memory is the plugin. Readers load the pointer of a shard and need no lock; mu is
// held by writers only, while they emit as well, so that events come in the order of
// the changes.
type memory struct {
	env      registry.Env
	settings Settings
	seed     maphash.Seed
	shards   [shards]atomic.Pointer[services]

	mu      sync.Mutex
	running bool
	entries int
}

func build(env registry.Env, s *Settings) (registry.Plugin, error) {
	m := &memory{env: env, settings: *s, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].Store(&services{})
	}
	return m, nil
}

func (m *memory) Start(context.Context) error { m.run(true); return nil }

// Stop refuses writes from now on. Reads go on.
func (m *memory) Stop(context.Context) error { m.run(false); return nil }

func (m *memory) run(running bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = running
}

func (m *memory) shard(service name.Service) *atomic.Pointer[services] {
	return &m.shards[maphash.String(m.seed, service.String())%shards]
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
	at, found := search(list, entry.Ref)
	if !found && m.entries >= m.settings.MaxEntries {
		return fmt.Errorf("service %s: %d entries are the most here: raise registry.memory.max_entries", entry.Service, m.settings.MaxEntries)
	}
	entry.Meta = copyMeta(entry.Meta)
	if found {
		m.update(list, at, entry)
		return nil
	}
	entry.Since = time.Now().UTC().Round(0)
	m.publish(entry.Service, slices.Insert(slices.Clone(list), at, entry))
	m.entries++
	m.env.Emit(registry.Event{Type: registry.Registered, Entry: entry})
	return nil
}

// update replaces the metadata of list[at]. The same metadata again is no news.
func (m *memory) update(list []registry.Entry, at int, entry registry.Entry) {
	if maps.Equal(list[at].Meta, entry.Meta) {
		return
	}
	entry.Since = list[at].Since
	list = slices.Clone(list)
	list[at] = entry
	m.publish(entry.Service, list)
	m.env.Emit(registry.Event{Type: registry.Updated, Entry: entry})
}

// Remove takes an entry back.
func (m *memory) Remove(ctx context.Context, service name.Service, ref name.Ref) error {
	if err := m.checkOwner(service, ref); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.writable(ctx, service); err != nil {
		return err
	}
	list := m.Lookup(service)
	at, found := search(list, ref)
	if !found {
		return fmt.Errorf("service %s: %s: %w", service, ref, registry.ErrNotFound)
	}
	gone := list[at]
	m.publish(service, slices.Delete(slices.Clone(list), at, at+1))
	m.entries--
	m.env.Emit(registry.Event{Type: registry.Unregistered, Entry: gone})
	return nil
}

// publish replaces the entries of a service. The caller holds mu.
func (m *memory) publish(service name.Service, list []registry.Entry) {
	shard := m.shard(service)
	next := maps.Clone(*shard.Load())
	if len(list) == 0 {
		delete(next, service)
	} else {
		next[service] = list
	}
	shard.Store(&next)
}

// Lookup is one atomic load and one map access.
func (m *memory) Lookup(service name.Service) []registry.Entry {
	return (*m.shard(service).Load())[service]
}

// List walks all shards; each is as it was at one moment, all together need not be.
func (m *memory) List(prefix string) []registry.Count {
	list := []registry.Count{}
	for i := range m.shards {
		for service, entries := range *m.shards[i].Load() {
			if strings.HasPrefix(service.String(), prefix) {
				list = append(list, registry.Count{Service: service, Instances: len(entries)})
			}
		}
	}
	slices.SortFunc(list, func(a, b registry.Count) int { return a.Service.Compare(b.Service) })
	return list
}

// Observe has nothing to hide or to show: every entry here is this node's own, and a
// node is always alive to itself.
func (m *memory) Observe(membership.Event) {}

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
	size := 0
	for key, value := range entry.Meta {
		size += len(key) + len(value)
	}
	if size > registry.MaxMeta {
		return fmt.Errorf("service %s: %d bytes, at most %d: %w", entry.Service, size, registry.MaxMeta, registry.ErrTooLarge)
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

func search(list []registry.Entry, ref name.Ref) (int, bool) {
	return slices.BinarySearchFunc(list, ref, func(e registry.Entry, r name.Ref) int { return e.Ref.Compare(r) })
}

func copyMeta(meta map[string]string) map[string]string {
	if meta == nil {
		return map[string]string{}
	}
	return maps.Clone(meta)
}
