package ownerlog

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
)

// Item is a live entry.
type Item struct{ Key, Val string }

// Digest is a SHA-256.
type Digest [32]byte

const (
	flatMost = 64 // entries that are digested in one go
	fans     = 256
)

// set is the live entries of one owner, sorted by key, with their digest. A small set is
// one list; a large one is divided, so that a change costs a part of it only.
type set struct {
	flat  []Item
	fans  []fan // nil, or 256
	count int
	bytes int
}

type fan struct {
	items []Item
	sum   Digest
	stale bool
}

func compareKey(i Item, key string) int { return strings.Compare(i.Key, key) }

func fanOf(key string) byte {
	sum := sha256.Sum256([]byte(key))
	return sum[0]
}

// list is where a key belongs.
func (s *set) list(key string, change bool) *[]Item {
	if s.fans == nil {
		return &s.flat
	}
	f := &s.fans[fanOf(key)]
	f.stale = f.stale || change
	return &f.items
}

func (s *set) get(key string) (string, bool) {
	list := *s.list(key, false)
	if i, found := slices.BinarySearchFunc(list, key, compareKey); found {
		return list[i].Val, true
	}
	return "", false
}

// put sets the value of a key; it returns what there was.
func (s *set) put(key, val string) (old string, had bool) {
	list := s.list(key, true)
	i, found := slices.BinarySearchFunc(*list, key, compareKey)
	if found {
		old = (*list)[i].Val
		(*list)[i] = Item{key, val}
		s.bytes += len(val) - len(old)
		return old, true
	}
	*list = slices.Insert(*list, i, Item{key, val})
	s.count++
	s.bytes += len(key) + len(val)
	s.divide()
	return "", false
}

// remove takes a key out; it returns what there was.
func (s *set) remove(key string) (old string, had bool) {
	list := s.list(key, true)
	i, found := slices.BinarySearchFunc(*list, key, compareKey)
	if !found {
		return "", false
	}
	old = (*list)[i].Val
	*list = slices.Delete(*list, i, i+1)
	s.count--
	s.bytes -= len(key) + len(old)
	s.divide()
	return old, true
}

// divide sees to it that the shape follows from the number of entries alone.
func (s *set) divide() {
	switch large := s.count > flatMost; {
	case large && s.fans == nil:
		s.fans = make([]fan, fans)
		for _, item := range s.flat {
			f := &s.fans[fanOf(item.Key)]
			f.items, f.stale = append(f.items, item), true
		}
		s.flat = nil
	case !large && s.fans != nil:
		s.flat = s.all()
		s.fans = nil
	}
}

// all lists the entries, sorted by key; the caller may keep the list.
func (s *set) all() []Item {
	if s.fans == nil {
		return slices.Clone(s.flat)
	}
	all := make([]Item, 0, s.count)
	for i := range s.fans {
		all = append(all, s.fans[i].items...)
	}
	slices.SortFunc(all, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// digest is the same for two sets with the same entries, and for no others.
func (s *set) digest() (d Digest) {
	h := sha256.New()
	if s.fans == nil {
		hashItems(h, s.flat)
		h.Sum(d[:0])
		return d
	}
	for i := range s.fans {
		f := &s.fans[i]
		if f.stale {
			f.sum, f.stale = Digest{}, false
			if len(f.items) > 0 {
				inner := sha256.New()
				hashItems(inner, f.items)
				inner.Sum(f.sum[:0])
			}
		}
		h.Write(f.sum[:])
	}
	h.Sum(d[:0])
	return d
}

func hashItems(h hash.Hash, items []Item) {
	buf := make([]byte, 0, 512)
	for i := range items {
		if buf = appendItem(buf, &items[i]); len(buf) >= 256 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
}

// appendItem is an entry as it is hashed.
func appendItem(b []byte, i *Item) []byte { return appendText(appendText(b, i.Key), i.Val) }

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// restore builds a set of entries that are sorted by key and different.
func restore(items []Item) (s set) {
	s.flat = items
	s.count = len(items)
	for i := range items {
		s.bytes += len(items[i].Key) + len(items[i].Val)
	}
	s.divide()
	return s
}

func sortedKeys(items []Item) bool {
	for i := 1; i < len(items); i++ {
		if items[i-1].Key >= items[i].Key {
			return false
		}
	}
	return true
}
