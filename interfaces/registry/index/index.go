// Package index is what a registry shows: entries by service, for any number of readers
// that need no lock, allocate nothing and never wait. It is for authors of registries;
// it decides nothing and tells nobody.
//
//	x := index.New(env.Node)
//	x.Apply(index.Change{Entry: e})   // one writer at a time
//	x.Lookup(service)                 // from any goroutine
//
// The services are divided into immutable tables. A writer copies those it changes and
// swaps a pointer; a reader loads the pointer. What a reader got never changes.
package index

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// shards is into how many tables the services are divided: a write copies one.
const (
	shardBits = 10
	shards    = 1 << shardBits
)

// Index is the entries that a registry shows.
type Index struct {
	self   name.Node
	seed   maphash.Seed
	shards [shards]atomic.Pointer[table]
	size   atomic.Int64
}

// New makes an empty index. Entries of self come first.
func New(self name.Node) *Index {
	x := &Index{self: self, seed: maphash.MakeSeed()}
	none := &table{}
	for i := range x.shards {
		x.shards[i].Store(none)
	}
	return x
}

// Change puts an entry, in place of the one with its service and reference if there is
// one, or takes it away. An entry that is put must not change any more.
type Change struct {
	Entry  registry.Entry
	Remove bool
}

// Lookup lists the entries of a service, those of self first, then by reference: one
// hash, one atomic load and one comparison.
func (x *Index) Lookup(name name.Service) []registry.Entry {
	hash := maphash.String(x.seed, name.String())
	if s := x.shards[hash%shards].Load().get(hash, name); s != nil {
		return s.entries
	}
	return nil
}

// Len is how many entries there are.
func (x *Index) Len() int { return int(x.size.Load()) }

// List counts the entries of the services whose name starts with prefix, sorted by
// name. Each shard is as it was at one moment, all together need not be.
func (x *Index) List(prefix string) []registry.Count {
	list := []registry.Count{}
	for i := range x.shards {
		for _, s := range x.shards[i].Load().slots {
			if s != nil && strings.HasPrefix(s.name.String(), prefix) {
				list = append(list, registry.Count{Service: s.name, Instances: len(s.entries)})
			}
		}
	}
	slices.SortFunc(list, func(a, b registry.Count) int { return a.Service.Compare(b.Service) })
	return list
}

// Apply makes changes, in order. One writer at a time. A shard is copied once for each
// call, and readers see all changes of a shard at once.
func (x *Index) Apply(changes ...Change) {
	fresh := map[uint64]*table{}
	owned := map[name.Service]*service{}
	for i := range changes {
		c := &changes[i]
		hash := maphash.String(x.seed, c.Entry.Service.String())
		t := fresh[hash%shards]
		if t == nil {
			t = x.shards[hash%shards].Load().clone()
			fresh[hash%shards] = t
		}
		x.change(t, c, hash, owned)
	}
	for at, t := range fresh {
		x.shards[at].Store(t)
	}
}

// change edits a table that nobody reads yet; owned has the services in it that are not
// read by anybody either.
func (x *Index) change(t *table, c *Change, hash uint64, owned map[name.Service]*service) {
	s := t.get(hash, c.Entry.Service)
	if s == nil {
		s = &service{name: c.Entry.Service, hash: hash}
	}
	at, found := x.Search(s.entries, c.Entry.Ref)
	if c.Remove && !found {
		return
	}
	if owned[s.name] != s {
		s = &service{name: s.name, hash: hash, entries: append(make([]registry.Entry, 0, len(s.entries)+1), s.entries...)}
		owned[s.name] = s
		t.put(s)
	}
	switch {
	case c.Remove:
		s.entries = slices.Delete(s.entries, at, at+1)
		x.size.Add(-1)
	case found:
		s.entries[at] = c.Entry
	default:
		s.entries = slices.Insert(s.entries, at, c.Entry)
		x.size.Add(1)
	}
	if len(s.entries) == 0 {
		t.remove(s.name)
	}
}

// Search is where an entry with a reference is in an answer of Lookup, or belongs.
func (x *Index) Search(list []registry.Entry, ref name.Ref) (int, bool) {
	return slices.BinarySearchFunc(list, ref, func(e registry.Entry, r name.Ref) int {
		if mine, its := e.Ref.Node == x.self, r.Node == x.self; mine != its {
			if mine {
				return -1
			}
			return 1
		}
		return e.Ref.Compare(r)
	})
}
