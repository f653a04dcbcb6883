package index

import (
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// service is the entries of one service, in order. It does not change once a table
// with it is published.
type service struct {
	name    name.Service
	hash    uint64
	entries []registry.Entry
}

// table finds services by hash: open addressing, at most half full. The zero table is
// empty.
type table struct {
	slots []*service
	used  int
}

// get is the place of a service, nil if it has none. The hash is computed once, by the
// caller; that is what this table has over a map.
func (t *table) get(hash uint64, name name.Service) *service {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash >> shardBits & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == nil || s.hash == hash && s.name == name {
			return s
		}
	}
}

func (t *table) clone() *table { return &table{slots: slices.Clone(t.slots), used: t.used} }

// put sets the place of a service.
func (t *table) put(s *service) {
	if 2*(t.used+1) > len(t.slots) {
		t.rebuild(max(4, 2*len(t.slots)), name.Service{})
	}
	mask := uint64(len(t.slots) - 1)
	i := s.hash >> shardBits & mask
	for t.slots[i] != nil && t.slots[i].name != s.name {
		i = (i + 1) & mask
	}
	if t.slots[i] == nil {
		t.used++
	}
	t.slots[i] = s
}

// remove takes a service out, and gives room back when most of it is unused.
func (t *table) remove(gone name.Service) {
	size := len(t.slots)
	if 8*t.used < size && size > 4 {
		size /= 2
	}
	t.rebuild(size, gone)
}

func (t *table) rebuild(size int, without name.Service) {
	old := t.slots
	t.slots, t.used = make([]*service, size), 0
	for _, s := range old {
		if s != nil && s.name != without {
			t.put(s)
		}
	}
}
