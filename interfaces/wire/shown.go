package wire

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

// The bounds on what one registry may show, which is what a liar can make its host hold.
// They are far above a cluster of which we know that it works, of 100,000 entries: these
// have 2.5 KiB of memory each, and one of two pairs of a few words takes half a KiB.
const (
	maxShown      = 1 << 18   // entries
	maxShownBytes = 256 << 20 // of memory, about
	entryBytes    = 256       // of it for an entry as such
	pairBytes     = 64        // and for each pair of metadata, besides the text
)

// Shown is the host's copy of what a registry in another process shows: it is fed by the
// changes that the plugin tells, is read without asking anybody, and outlives processes.
// What a process showed that has ended stays until the next one says otherwise; until
// then it is stale. Safe for concurrent use.
type Shown struct {
	env   registry.Env
	index *index.Index
	most  int // maxShown, but for tests

	mu     sync.Mutex
	source *Registry // whose changes count
	bytes  int
	stale  map[shownKey]bool
}

type shownKey struct {
	service name.Service
	ref     name.Ref
}

// NewShown makes an empty copy. It tells of changes as env.Emit wants them, and does not
// show what env.Policy refuses.
func NewShown(env registry.Env) *Shown {
	return &Shown{env: env, index: index.New(env.Node), most: maxShown, stale: map[shownKey]bool{}}
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
			s.stale[shownKey{e.Service, e.Ref}] = true
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
	}
	for i := range events {
		source.loud += sizeOfEntry(events[i].Entry)
	}
	if len(source.early)+len(events) > maxTold*16 || source.loud > maxShownBytes {
		return malformed("more than %d changes, or %d bytes, before it has started", maxTold*16, maxShownBytes)
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
	more := sizeOfEntry(entry)
	if had {
		more -= sizeOfEntry(old)
	}
	switch {
	case had && maps.Equal(old.Meta, entry.Meta):
		return nil
	case !s.allows(entry):
		return nil
	case !s.roomFor(more, had):
		return malformed("more than %d entries, or than %d bytes of them", s.most, maxShownBytes)
	}
	event := registry.Event{Type: registry.Registered, Entry: entry}
	if had {
		event.Type, event.Entry.Since = registry.Updated, old.Since
	}
	s.bytes += more
	s.index.Apply(index.Change{Entry: event.Entry})
	s.env.Emit(event)
	return nil
}

// roomFor reports whether there is room, for which what only an earlier process showed
// has to go if need be.
func (s *Shown) roomFor(bytes int, had bool) bool {
	fits := func() bool { return (had || s.index.Len() < s.most) && s.bytes+bytes <= maxShownBytes }
	if !fits() {
		s.evict("too much for what an earlier process showed", func(registry.Entry) bool { return true })
	}
	return fits()
}

func (s *Shown) allows(e registry.Entry) bool {
	return s.env.Allowed(e.Service, e.Ref.Node) == nil
}

func (s *Shown) remove(entry registry.Entry, what registry.EventType, reason string) {
	s.bytes -= sizeOfEntry(entry)
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
	return s.evict(reason, which)
}

// evict hides what is stale, all at once and the last of each service first, so that it
// takes no longer where there is a lot. The caller holds mu.
func (s *Shown) evict(reason string, which func(registry.Entry) bool) int {
	if len(s.stale) == 0 {
		return 0
	}
	var gone []index.Change
	for _, count := range s.index.List("") {
		for _, e := range slices.Backward(s.index.Lookup(count.Service)) {
			if s.stale[shownKey{e.Service, e.Ref}] && which(e) {
				gone = append(gone, index.Change{Entry: e, Remove: true})
			}
		}
	}
	s.index.Apply(gone...)
	for i := range gone {
		e := gone[i].Entry
		s.bytes -= sizeOfEntry(e)
		delete(s.stale, shownKey{e.Service, e.Ref})
		s.env.Emit(registry.Event{Type: registry.EntryDown, Entry: e, Reason: reason})
	}
	return len(gone)
}

func sizeOfEntry(e registry.Entry) int {
	return entryBytes + len(e.Meta)*pairBytes + sizeOfMeta(e.Meta)
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
