package membershiphyparview

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// book gives out the numbers by which the machines know nodes, and keeps what belongs
// to each: a name stands for one key and one number. It is not safe for concurrent use.
type book struct {
	env     membership.Env
	self    *entry
	most    int // entries
	tidyAt  int // entries at which to look for useless ones
	last    overlay.Peer
	byPeer  map[overlay.Peer]*entry
	byNode  map[name.Node]*entry
	byID    map[uint64]*entry
	checks  checks
	refuse  refusals
	spurned uint64   // number of the node whose record learn refused last, though it is genuine
	voided  []*entry // numbers that are nobody's any more; the loop tells the machines
	events  []membership.Event
}

// entry is one node under one key.
type entry struct {
	peer      overlay.Peer
	node      name.Node
	key       trust.Key // zero: not known yet
	id        uint64    // zero while the key is
	linked    uint64    // incarnation at the other end of the link; 0: none
	member    bool      // it has shown its record on that link: it takes part in the cluster
	proved    bool      // by a link, not by hearsay only
	endpoints []name.Address
	record    member.Record // the latest that it signed
	sealed    []byte        // that record as it travels; nil: none yet
	remote    name.Address  // where the link sees it
	seenAs    string        // the host at which it sees this node
	shown     trust.Key     // the other key of which a conflict was told
	seen      time.Time     // last known alive, for the file of known members
	share     *share        // of the checks; nil: it brought nothing to be checked yet
}

// refusals counts what was not believed.
type refusals struct{ forged, foreign, untrusted, conflicts, full, hasty uint64 }

func newBook(env membership.Env, most int) *book {
	b := &book{
		env: env, most: most, tidyAt: spareEntries / 2, byPeer: map[overlay.Peer]*entry{}, byNode: map[name.Node]*entry{}, byID: map[uint64]*entry{},
		checks: newChecks(),
	}
	b.self = b.add(env.Node)
	return b
}

// idOf is the number of a node and its key that is the same everywhere.
func idOf(node name.Node, key trust.Key) uint64 {
	sum := sha256.Sum256(append([]byte(node.String()), key[:]...))
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

// named finds or makes the entry of a name.
func (b *book) named(node name.Node) *entry {
	if e := b.byNode[node]; e != nil {
		return e
	}
	return b.add(node)
}

func (b *book) add(node name.Node) *entry {
	b.last++
	e := &entry{peer: b.last, node: node}
	b.byPeer[e.peer], b.byNode[node] = e, e
	return e
}

// setKey binds an entry to a key; false if another node has the same number by it.
func (b *book) setKey(e *entry, key trust.Key) bool {
	id := idOf(e.node, key)
	if other := b.byID[id]; other != nil && other != e {
		return false
	}
	delete(b.byID, e.id)
	e.key, e.id = key, id
	b.byID[id] = e
	return true
}

// identify is what this node is called; its key may have been rotated.
func (b *book) identify(key trust.Key) {
	if b.self.key != key {
		b.setKey(b.self, key)
		b.self.sealed, b.self.proved = nil, true
	}
}

// void takes a number back at once: the name belongs to another key.
func (b *book) void(e *entry) {
	b.remove(e)
	b.voided = append(b.voided, e)
}

func (b *book) remove(e *entry) {
	delete(b.byPeer, e.peer)
	if b.byNode[e.node] == e {
		delete(b.byNode, e.node)
	}
	if b.byID[e.id] == e {
		delete(b.byID, e.id)
	}
}

// met is a node at the other end of a link, which proved its key. Who went by the name
// on hearsay with another key was somebody else.
func (b *book) met(p membership.Peer) *entry {
	e := b.named(p.Node)
	if e.key != p.Key && !e.key.IsZero() && !p.Key.IsZero() {
		b.conflict(e, p.Key, "a link proved the second")
		b.void(e)
		e = b.add(p.Node)
	}
	if e.key.IsZero() && !p.Key.IsZero() && !b.setKey(e, p.Key) {
		b.refuse.conflicts++
	}
	e.proved, e.linked, e.remote = true, p.Incarnation, p.Remote
	if len(p.Endpoints) > 0 {
		e.endpoints = clip(p.Endpoints)
	}
	return e
}

// maxEndpoints bounds how many endpoints of a node are kept.
const maxEndpoints = 8

func clip(endpoints []name.Address) []name.Address {
	return slices.Clone(endpoints[:min(len(endpoints), maxEndpoints)])
}

// learn takes a record that anybody may have passed on. It returns whose it is, and the
// record; false if it is not to be believed.
func (b *book) learn(record, sig []byte) (*entry, *member.Record, bool) {
	r, err := member.Decode(record)
	if err != nil {
		b.refuse.forged++
		return nil, nil, false
	}
	if r.Cluster != b.env.Cluster {
		b.refuse.foreign++
		return nil, nil, false
	}
	e := b.byNode[r.Node]
	if e != nil && e.key == r.Key && isSealed(e.sealed, record, sig) {
		return e, &e.record, true
	}
	if !b.worth(e, &r) || !b.genuine(&r, record, sig) {
		return nil, nil, false
	}
	if e = b.admit(e, &r); e == nil {
		return nil, nil, false
	}
	if e != b.self && (e.sealed == nil || r.Compare(&e.record) > 0) {
		e.record, e.sealed = r, append(bytes.Clone(record), sig...)
		if len(r.Endpoints) > 0 {
			e.endpoints = clip(r.Endpoints)
		}
	}
	return e, &r, true
}

func isSealed(sealed, record, sig []byte) bool {
	return len(sealed) == len(record)+len(sig) && bytes.HasPrefix(sealed, record) && bytes.HasSuffix(sealed, sig)
}

// superseded is the entry of a record of which a later one is known; nil if there is none. So much
// need not be checked to say who is meant.
func (b *book) superseded(record []byte) *entry {
	r, err := member.Decode(record)
	if err != nil || r.Cluster != b.env.Cluster {
		return nil
	}
	if e := b.byNode[r.Node]; e != nil && e.key == r.Key && e.sealed != nil && r.Compare(&e.record) < 0 {
		return e
	}
	return nil
}

// worth reports whether a record is worth checking its signature, and pays for that.
func (b *book) worth(e *entry, r *member.Record) bool {
	switch {
	case e != nil && !e.key.IsZero() && e.key != r.Key:
		if !b.checks.spendOnSecond(e, r) {
			b.refuse.conflicts++
			if e.shown == r.Key {
				b.spurned = idOf(r.Node, r.Key)
			}
			return false
		}
	case e != nil && b.checks.outdated(e, r):
		return false
	case !b.checks.spendOn(e, r):
		b.refuse.hasty++
		return false
	}
	return true
}

// genuine checks the signature.
func (b *book) genuine(r *member.Record, record, sig []byte) bool {
	if len(sig) != member.SigSize || !trust.Verify(r.Key, trust.ForMembership, record, [member.SigSize]byte(sig)) {
		b.refuse.forged++
		return false
	}
	return true
}

// admit finds or makes the entry of a genuine record, if the key may be the name.
func (b *book) admit(e *entry, r *member.Record) *entry {
	switch {
	case e != nil && !e.key.IsZero() && e.key != r.Key:
		b.conflict(e, r.Key, "the second is refused")
		b.spurned = idOf(r.Node, r.Key)
		return nil
	case e != nil && !e.key.IsZero():
		return e
	}
	if err := b.env.Vet(r.Node, r.Key); err != nil {
		b.refuse.untrusted++
		if errors.Is(err, trust.ErrUntrusted) || errors.Is(err, trust.ErrKeyMismatch) { // another time it may tell
			b.spurned = idOf(r.Node, r.Key)
		}
		return nil
	}
	if e == nil && len(b.byPeer) >= b.most {
		b.refuse.full++
		return nil
	}
	if e == nil {
		e = b.add(r.Node)
	}
	if !b.setKey(e, r.Key) {
		b.refuse.conflicts++
		b.remove(e)
		return nil
	}
	return e
}

// conflict tells that a name was seen with a second key, once for each such key.
func (b *book) conflict(e *entry, second trust.Key, what string) {
	b.refuse.conflicts++
	if e.shown == second {
		return
	}
	e.shown = second
	b.events = append(b.events, membership.Event{
		Type: membership.MemberConflict, Node: e.node,
		Reason: fmt.Sprintf("keys %.16s and %.16s claim the name; %s", e.key.Fingerprint(), second.Fingerprint(), what),
	})
}

// sealSelf signs this node's own record anew if it has changed; it reports whether.
func (b *book) sealSelf(ref uint32, left bool, endpoints []name.Address) bool {
	key := b.env.Signer.Public()
	b.identify(key)
	e := b.self
	r := member.Record{
		Node: b.env.Node, Key: key, Cluster: b.env.Cluster, Incarnation: b.env.Incarnation,
		Ref: ref, Left: left, Endpoints: clip(endpoints),
	}
	if e.sealed != nil && r.Compare(&e.record) == 0 && slices.Equal(r.Endpoints, e.record.Endpoints) {
		return false
	}
	body := r.Encode()
	e.record, e.sealed, e.endpoints = r, member.Seal(body, b.env.Signer.Sign(body)), r.Endpoints
	return true
}

// node is whom a number stands for; nil if nobody any more.
func (b *book) node(p overlay.Peer) *entry { return b.byPeer[p] }
