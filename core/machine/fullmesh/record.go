package fullmesh

import (
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// record is what is known of one other node.
type record struct {
	node      name.Node
	key       trust.Key        // that it proved
	met       bool             // it has proved itself over a link, at incarnation inc
	state     membership.State // "": no member; heard of, or forgotten
	inc       uint64
	endpoints []name.Address // its own word, from the handshake
	since     time.Duration  // of the state
	until     time.Duration  // when the state runs out by itself; Never
	link      link
	dial      dial
}

// link is the link to a node, as far as the inputs told.
type link struct {
	up      bool
	joined  bool // its JOIN or WELCOME came over this link: a neighbour
	closing bool // closed from here; its LinkDown is awaited
	verify  bool // one of two links closed as duplicate; is one left?
	inc     uint64
	listed  time.Duration // when the member list was sent last
}

// dial is the effort to get a link.
type dial struct {
	hearsay bool           // somebody named it
	hints   []name.Address // endpoints by hearsay
	busy    bool           // a Connect is under way
	low     bool           // that Connect is of the kind that may wait
	due     time.Duration  // when to dial next; Never
	last    time.Duration  // when it was dialed last
	tries   int            // in vain, since the node was a neighbour
}

func newRecord(node name.Node) *record {
	return &record{node: node, until: Never, link: link{listed: -Never}, dial: dial{due: Never, last: -Never}}
}

// up reports whether the node counts among the living.
func (r *record) up() bool { return r.state == membership.Alive || r.state == membership.Suspect }

// known is where to dial: its own word first, then hearsay.
func (r *record) known() []name.Address {
	known := slices.Clone(r.endpoints)
	for _, a := range r.dial.hints {
		if !slices.Contains(known, a) {
			known = append(known, a)
		}
	}
	return known
}

// idle reports whether nothing would be lost with the record.
func (r *record) idle() bool {
	return r.state == "" && !r.link.up && !r.dial.busy && r.dial.due == Never
}

func byNode(r *record, node name.Node) int { return r.node.Compare(node) }

func (m *Machine) find(node name.Node) *record {
	if i, ok := slices.BinarySearchFunc(m.records, node, byNode); ok {
		return m.records[i]
	}
	return nil
}

// ensure finds or makes the record of a node that is here in person or that the user
// named. It makes room by giving up the least valuable record; nil if all are needed.
func (m *Machine) ensure(node name.Node) *record {
	if r := m.find(node); r != nil {
		return r
	}
	if len(m.records)+1 >= m.cfg.MaxMembers && !m.evict() {
		return nil
	}
	return m.insert(node)
}

func (m *Machine) insert(node name.Node) *record {
	i, _ := slices.BinarySearchFunc(m.records, node, byNode)
	r := newRecord(node)
	m.records = slices.Insert(m.records, i, r)
	return r
}

// evict gives up one record: hearsay before the forgotten, before left, before down;
// the oldest of its sort. It reports false if every record is in use.
func (m *Machine) evict() bool {
	worst := -1
	for i, r := range m.records {
		if r.up() || r.link.up || r.dial.busy || m.awaited(r.node) {
			continue
		}
		if worst < 0 || cheaper(r, m.records[worst]) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	m.out.Changed = true
	m.records = slices.Delete(m.records, worst, worst+1)
	return true
}

func cheaper(a, b *record) bool {
	if worth(a) != worth(b) {
		return worth(a) < worth(b)
	}
	return a.since < b.since
}

func worth(r *record) int {
	switch {
	case !r.met:
		return 0
	case r.state == "":
		return 1
	case r.state == membership.Left:
		return 2
	}
	return 3
}

// useless: a record without which nothing is lost. Who has left keeps the nodes that
// it met, for the day when it joins again.
func (m *Machine) useless(r *record) bool {
	return r.idle() && !m.awaited(r.node) && !(m.left && r.met)
}

// sweep drops records that hold nothing.
func (m *Machine) sweep() {
	m.records = slices.DeleteFunc(m.records, func(r *record) bool {
		return m.useless(r)
	})
}
