package plumtree

import (
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// entry is a payload that neighbours may still ask for.
type entry struct {
	id    ID
	key   uint64
	round uint32
	from  overlay.Peer // whose copy was the first
	at    overlay.Time
	data  []byte
}

// overhead is what an entry costs besides its payload, in bytes, roughly.
const overhead = 128

// sweeps is in how many parts an age is looked at: nothing lives longer than its age and
// one part more.
const sweeps = 4

// cache keeps payloads in the order in which they came, up to a number of bytes and for
// a time.
type cache struct {
	maxBytes, maxCount int
	age                time.Duration
	byID               map[ID]uint64 // position, counted from the first entry ever
	entries            []entry       // a queue; entries[0] has position first
	first              uint64
	bytes              int
	sweepAt            overlay.Time
	room               room
}

func newCache(maxBytes, maxCount int, age time.Duration) cache {
	return cache{maxBytes: maxBytes, maxCount: maxCount, age: age, byID: map[ID]uint64{}, sweepAt: overlay.Never}
}

// put adds a message and returns how many gave way.
func (c *cache) put(now overlay.Time, from overlay.Peer, msg *Message) int {
	e := entry{id: msg.ID, from: from, key: msg.Key, round: msg.Round, at: now, data: msg.Data}
	c.byID[e.id] = c.first + uint64(len(c.entries))
	c.entries = append(c.entries, e)
	c.room.grow(len(c.entries))
	c.bytes += len(e.data) + overhead
	if c.sweepAt == overlay.Never {
		c.sweepAt = now + c.age + c.age/sweeps
	}
	n := 0
	for c.bytes > c.maxBytes || len(c.entries) > c.maxCount {
		c.shift()
		n++
	}
	return n
}

func (c *cache) get(id ID) *entry {
	at, ok := c.byID[id]
	if !ok {
		return nil
	}
	return &c.entries[at-c.first]
}

// shift drops the oldest entry.
func (c *cache) shift() {
	e := &c.entries[0]
	if c.byID[e.id] == c.first {
		delete(c.byID, e.id)
	}
	c.bytes -= len(e.data) + overhead
	*e = entry{}
	c.entries = c.entries[1:]
	c.first++
}

// sweep drops what is too old and returns how many that were.
func (c *cache) sweep(now overlay.Time) int {
	n := 0
	for len(c.entries) > 0 && now-c.entries[0].at >= c.age {
		c.shift()
		n++
	}
	c.sweepAt = overlay.Never
	if len(c.entries) > 0 {
		c.sweepAt = max(c.entries[0].at+c.age, now+c.age/sweeps)
	}
	if c.room.spare(len(c.entries)) {
		c.entries, c.byID = slices.Clone(c.entries), moved(c.byID)
	}
	return n
}

// recent lists what came after a moment, the newest most of them, the oldest first.
func (c *cache) recent(after overlay.Time, most int) []Announce {
	from := len(c.entries)
	for from > 0 && len(c.entries)-from < most && c.entries[from-1].at > after {
		from--
	}
	list := make([]Announce, 0, len(c.entries)-from)
	for i := range c.entries[from:] {
		e := &c.entries[from+i]
		list = append(list, Announce{e.id, e.round + 1})
	}
	return list
}
