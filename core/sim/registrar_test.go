package sim_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/core/sim"
)

// registrar is a ward whose nodes have a registry, and what they should see.
type registrar struct {
	*ward
	offered map[overlay.Peer]map[string]string // by owner
	version int
	hidden  map[overlay.Peer]int // entries that were hidden or removed somewhere, by owner
	faults  []string
	shown   map[sighted]int32 // the last version that was shown; of key 0, that there was one
	keys    map[string]uint32 // their numbers
	views   [][]view          // by node and owner
}

// view is what a node sees of an owner: so many entries of one of its lives.
type view struct{ inc, entries uint32 }

// sighted is a key of an owner, in one of its lives, as a node sees it. There are very
// many.
type sighted struct {
	at, owner overlay.Peer
	inc, key  uint32
}

// entrySize is what an entry takes, key and value, in bytes.
const entrySize = 200

// enroll makes a cluster in which each node offers services.
func enroll(r round, services int, change func(*sim.Config[word])) *registrar {
	w := &registrar{ward: &ward{rng: rand.New(rand.NewPCG(r.seed, 0x1f))}, offered: map[overlay.Peer]map[string]string{}, hidden: map[overlay.Peer]int{}, shown: map[sighted]int32{}, keys: map[string]uint32{}}
	w.keeper = newKeeper(r.nodes + 1)
	w.keeper.change = w.changed
	w.views = make([][]view, r.nodes+2)
	w.keeper.begin = func(at overlay.Peer) { w.views[at] = make([]view, r.nodes+2) }
	places := func(c *sim.Config[word]) {
		c.Nodes = r.nodes + 1 // one place is free
		change(c)
	}
	w.admit(r, nil, places)
	for _, p := range w.Living() {
		for i := range services {
			w.offer(p, fmt.Sprint("service/", i))
		}
	}
	w.RunFor(20 * time.Second)
	return w
}

func calm(*sim.Config[word]) {}

// rough loses a tenth of all packets, repeats and reorders others.
func rough(c *sim.Config[word]) { c.Loss, c.Duplicate, c.Reorder = 0.1, 0.05, 0.1 }

// offer registers a service, or changes its metadata.
func (w *registrar) offer(p overlay.Peer, key string) {
	w.version++
	val := fmt.Sprintf("%d %s", w.version, strings.Repeat("x", entrySize))[:entrySize-len(key)]
	if w.offered[p] == nil {
		w.offered[p] = map[string]string{}
	}
	w.offered[p][key] = val
	w.Command(p, overlay.Command{Op: opWrite, Data: []byte(key + "\x00" + val)})
}

func (w *registrar) withdraw(p overlay.Peer, key string) {
	delete(w.offered[p], key)
	w.Command(p, overlay.Command{Op: opWrite, Data: []byte(key)})
}

func (w *registrar) clerk(p overlay.Peer) *clerk { return w.Node(p).(*whole).rg }

// changed looks at a change of what a node sees: nothing old after the new.
func (w *registrar) changed(at overlay.Peer, c *ownerlog.Change) {
	owner := w.keeper.peers[c.Owner]
	life := sighted{at: at, owner: owner, inc: uint32(c.Inc)}
	seen := life
	seen.key = w.keyOf(c.Key)
	version := versionOf(c.Val)
	w.oneLife(at, owner, c)
	switch last := w.shown[seen]; c.Kind {
	case ownerlog.Added, ownerlog.Updated:
		if version < last {
			w.faults = append(w.faults, fmt.Sprintf("%s of %s/%d is %d again at %d, after %d", c.Key, c.Owner, c.Inc, version, at, last))
		}
		newer := life
		newer.inc++
		if w.shown[newer] != 0 {
			w.faults = append(w.faults, fmt.Sprintf("%s of %s/%d is shown at %d after its next life", c.Key, c.Owner, c.Inc, at))
		}
		w.shown[seen], w.shown[life] = version, 1
	case ownerlog.Removed:
		w.shown[seen], w.shown[life] = version+1, 1
	case ownerlog.Hidden:
		w.hidden[owner]++
	}
}

// oneLife sees that a node never sees entries of two lives of an owner at once.
func (w *registrar) oneLife(at, owner overlay.Peer, c *ownerlog.Change) {
	v := &w.views[at][owner]
	switch c.Kind {
	case ownerlog.Added:
		if v.entries > 0 && v.inc != uint32(c.Inc) {
			w.faults = append(w.faults, fmt.Sprintf("%s of %s/%d is shown at %d beside %d entries of life %d", c.Key, c.Owner, c.Inc, at, v.entries, v.inc))
		}
		v.inc, v.entries = uint32(c.Inc), v.entries+1
	case ownerlog.Removed, ownerlog.Hidden:
		v.entries--
	}
}

// keyOf numbers a key, from 1.
func (w *registrar) keyOf(key string) uint32 {
	n, known := w.keys[key]
	if !known {
		n = uint32(len(w.keys) + 1)
		w.keys[key] = n
	}
	return n
}

// versionOf is the number at the beginning of a value.
func versionOf(val string) int32 {
	digits, _, _ := strings.Cut(val, " ")
	n, _ := strconv.Atoi(digits)
	return int32(n)
}

// equal reports whether all nodes see what all that run offer, and nothing else.
func (w *registrar) equal() bool {
	want, entries := uint64(0), 0
	for i, p := range w.Living() {
		sums := w.clerk(p).m.Store().Sums()
		if i == 0 {
			want, entries = sums.Root(), w.count(p)
		}
		if sums.Root() != want {
			return false
		}
	}
	offered := 0
	for _, p := range w.Living() {
		offered += len(w.offered[p])
	}
	return entries == offered && w.sample() == ""
}

func (w *registrar) count(p overlay.Peer) (n int) {
	w.clerk(p).m.Store().Entries(func(string, uint64, ownerlog.Item) { n++ })
	return n
}

// sample compares what one node sees with what is offered, entry by entry.
func (w *registrar) sample() (wrong string) {
	p := w.anyone()
	w.clerk(p).m.Store().Entries(func(owner string, _ uint64, item ownerlog.Item) {
		o := w.keeper.peerOf(owner)
		if w.offered[o][item.Key] != item.Val {
			wrong = fmt.Sprintf("%d sees %s of %s as %.20q, offered is %.20q", p, item.Key, owner, item.Val, w.offered[o][item.Key])
		}
	})
	return wrong
}

// converge runs until all see the same, and returns how long that took.
func (w *registrar) converge(limit overlay.Time) overlay.Time {
	return w.until(limit, w.equal)
}

// writes has somebody write once a second, for that many seconds.
func (w *registrar) writes(seconds int) {
	for range seconds {
		p := w.anyone()
		key := fmt.Sprint("service/", w.rng.IntN(12))
		if _, has := w.offered[p][key]; has && w.rng.IntN(4) == 0 {
			w.withdraw(p, key)
		} else {
			w.offer(p, key)
		}
		w.RunFor(time.Second)
	}
}

// repair is the bytes of comparisons and what they moved, since the last call.
func (w *registrar) repair() uint64 { return w.Totals()[overlay.Repair].Bytes }

// end fails for what should never be.
func (w *registrar) end(t *testing.T) {
	t.Helper()
	for _, fault := range w.faults[:min(len(w.faults), 3)] {
		t.Error(fault)
	}
	for _, p := range w.Living() {
		if err := w.clerk(p).m.Check(); err != nil {
			t.Errorf("%d: %v", p, err)
		}
	}
	checked(t, w.World)
}
