package resolve

import (
	"container/list"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// cache remembers the last verdict and the last good answer of so many nodes, those
// that were asked for most recently. It is not safe for concurrent use.
type cache struct {
	capacity int
	entries  map[name.Node]*list.Element // of *entry
	recent   *list.List                  // most recently asked for in front
}

type entry struct {
	node  name.Node
	last  verdict
	until time.Time // until when last holds
	good  *verdict  // the last good answer; nil: none
}

func newCache(capacity int) *cache {
	return &cache{capacity: capacity, entries: map[name.Node]*list.Element{}, recent: list.New()}
}

func (c *cache) lookup(node name.Node) *entry {
	element, ok := c.entries[node]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(element)
	return element.Value.(*entry)
}

// current is the last verdict, if it still holds.
func (c *cache) current(node name.Node, now time.Time) (verdict, bool) {
	e := c.lookup(node)
	if e == nil || !now.Before(e.until) {
		return verdict{}, false
	}
	return e.last, true
}

// good is the last good answer, or nil.
func (c *cache) good(node name.Node) *verdict {
	if e := c.lookup(node); e != nil {
		return e.good
	}
	return nil
}

func (c *cache) put(node name.Node, v verdict, until time.Time) {
	e := c.lookup(node)
	if e == nil {
		e = &entry{node: node}
		c.entries[node] = c.recent.PushFront(e)
		c.evict()
	}
	e.last, e.until = v, until
	switch {
	case v.fresh():
		e.good = &v
	case errors.Is(v.err, discovery.ErrNotFound):
		e.good = nil // everybody agrees that the node is gone
	}
}

func (c *cache) evict() {
	for len(c.entries) > c.capacity {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, oldest.Value.(*entry).node)
	}
}

func (c *cache) expire(node name.Node) {
	if element, ok := c.entries[node]; ok {
		element.Value.(*entry).until = time.Time{}
	}
}

func (c *cache) expireAll() {
	for _, element := range c.entries {
		element.Value.(*entry).until = time.Time{}
	}
}
