package wire

import (
	"fmt"
	"maps"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

// The bounds on what one registry may show.
const (
	maxShown      = 1 << 20 // entries
	maxShownBytes = 1 << 30 // of metadata
)

// Shown is the host's copy of what a registry in another process shows: it is fed by the
// changes that the plugin tells, is read without asking anybody, and outlives processes.
// What a process showed that has ended stays until the next one says otherwise; until
// then it is stale. Safe for concurrent use.
type Shown struct {
	env   registry.Env
	index *index.Index

	mu     sync.Mutex
	source *Registry // whose changes count
	bytes  int
	stale  map[shownKey]registry.Entry
}

type shownKey struct {
	service name.Service
	ref     name.Ref
}

// NewShown makes an empty copy. It tells of changes as env.Emit wants them, and does not
// show what env.Policy refuses.
func NewShown(env registry.Env) *Shown {
	return &Shown{env: env, index: index.New(env.Node), stale: map[shownKey]registry.Entry{}}
}

// Lookup reads memory; see registry.Plugin.
func (s *Shown) Lookup(service name.Service) []registry.Entry { return s.index.Lookup(service) }

// List reads memory; see registry.Plugin.
func (s *Shown) List(prefix string) []registry.Count { return s.index.List(prefix) }

// Stale is how many entries are shown because an earlier process showed them.
func (s *Shown) Stale() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stale)
}

// counts reports whether a source is the one whose changes count, or may become it.
func (s *Shown) counts(source *Registry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !source.passed
}

// adopt has the changes of a source count from now on, in place of those of another.
func (s *Shown) adopt(source *Registry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == source {
		return nil
	}
	if s.source != nil {
		s.source.passed = true
		s.doubt()
	}
	s.source = source
	early := source.early
	source.early = nil
	return s.take(early)
}

// lost: the process of a source has ended, or does not tell any more.
func (s *Shown) lost(source *Registry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == source {
		s.doubt()
	}
}

// doubt makes everything stale. The caller holds mu.
func (s *Shown) doubt() {
	for _, count := range s.index.List("") {
		for _, e := range s.index.Lookup(count.Service) {
			s.stale[shownKey{e.Service, e.Ref}] = e
		}
	}
}

// apply takes what a source told. Of one that is not adopted yet it waits.
func (s *Shown) apply(source *Registry, events []registry.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case source.passed:
		return nil
	case s.source == source:
		return s.take(events)
	case len(source.early)+len(events) > maxTold*16:
		return malformed("more than %d changes before it has started", maxTold*16)
	}
	source.early = append(source.early, events...)
	return nil
}

// take applies changes in order. The caller holds mu.
func (s *Shown) take(events []registry.Event) error {
	for i := range events {
		if err := s.one(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shown) one(e *registry.Event) error {
	old, had := s.find(e.Entry.Service, e.Entry.Ref)
	delete(s.stale, shownKey{e.Entry.Service, e.Entry.Ref})
	if e.Type == registry.Unregistered || e.Type == registry.EntryDown {
		if had {
			s.remove(old, e.Type, e.Reason)
		}
		return nil
	}
	return s.show(e.Entry, old, had)
}

// show puts an entry. The same again, as a new process tells it, is no news.
func (s *Shown) show(entry, old registry.Entry, had bool) error {
	bytes := s.bytes + sizeOfMeta(entry.Meta) - sizeOfMeta(old.Meta)
	switch {
	case had && maps.Equal(old.Meta, entry.Meta):
		return nil
	case !had && s.index.Len() >= maxShown || bytes > maxShownBytes:
		return malformed("more than %d entries, or than %d bytes of metadata", maxShown, maxShownBytes)
	case !s.allows(entry):
		return nil
	}
	event := registry.Event{Type: registry.Registered, Entry: entry}
	if had {
		event.Type, event.Entry.Since = registry.Updated, old.Since
	}
	s.bytes = bytes
	s.index.Apply(index.Change{Entry: event.Entry})
	s.env.Emit(event)
	return nil
}

func (s *Shown) allows(e registry.Entry) bool {
	return s.env.Allowed(e.Service, e.Ref.Node) == nil
}

func (s *Shown) remove(entry registry.Entry, what registry.EventType, reason string) {
	s.bytes -= sizeOfMeta(entry.Meta)
	s.index.Apply(index.Change{Entry: entry, Remove: true})
	s.env.Emit(registry.Event{Type: what, Entry: entry, Reason: reason})
}

func (s *Shown) find(service name.Service, ref name.Ref) (registry.Entry, bool) {
	list := s.index.Lookup(service)
	at, found := s.index.Search(list, ref)
	if !found {
		return registry.Entry{}, false
	}
	return list[at], true
}

// End hides what is stale of a node that has ended at an incarnation.
func (s *Shown) End(node name.Node, incarnation uint64, reason string) {
	s.drop(reason, func(e registry.Entry) bool { return e.Ref.Node == node && e.Ref.Incarnation <= incarnation })
}

// Sweep hides all that is still stale, and returns how much that was.
func (s *Shown) Sweep(reason string) int {
	return s.drop(reason, func(registry.Entry) bool { return true })
}

func (s *Shown) drop(reason string, which func(registry.Entry) bool) (dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.stale {
		if which(e) {
			delete(s.stale, key)
			s.remove(e, registry.EntryDown, reason)
			dropped++
		}
	}
	return dropped
}

func sizeOfMeta(meta map[string]string) (bytes int) {
	for key, value := range meta {
		bytes += len(key) + len(value)
	}
	return bytes
}

// boundMeta says what is wrong with the size of metadata.
func boundMeta(meta map[string]string) error {
	if n := sizeOfMeta(meta); n > registry.MaxMeta || len(meta) > registry.MaxPairs {
		return fmt.Errorf("%d bytes in %d pairs, at most %d in %d: %w", n, len(meta), registry.MaxMeta, registry.MaxPairs, registry.ErrTooLarge)
	}
	return nil
}
