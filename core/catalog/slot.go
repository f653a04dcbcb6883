package catalog

import (
	"slices"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Cardinality is how many plugins a slot takes.
type Cardinality string

// The cardinalities. A Chain takes one or more, asked in their order until one knows.
const (
	One   Cardinality = "one"
	Chain Cardinality = "chain"
)

// Slot is what is known of a kind before any plugin is.
type Slot struct {
	Kind        plugin.Kind
	Question    string // that its plugin answers
	Cardinality Cardinality
	Defaults    []string // the plugins used when the configuration names none
	Absence     Absence
}

// Policy is what a node does while the plugin of a slot cannot answer.
type Policy string

// The policies; the words are stable and stand in documents.
const (
	Redial     Policy = "redial"      // links are lost now and dialed again later
	FromMemory Policy = "from-memory" // go on with the answers there were
	FailClosed Policy = "fail-closed" // the answer is no
	Frozen     Policy = "frozen"      // go on with the picture there was, change nothing
	Stale      Policy = "stale"       // read what there was and say so, refuse to write
)

// Absence is what it means for a node that the plugin of a slot is gone. It is decided
// here for every plugin of the kind; no plugin decides it for itself.
type Absence struct {
	Policy Policy
	Works  string // what goes on working
	Stops  string // what does not
}

// Slots lists the five slots in the order of plugin.Kinds, fresh at each call.
func Slots() []Slot {
	return []Slot{
		{
			Kind: plugin.Transport, Question: "how do bytes get to a peer?",
			Cardinality: One, Defaults: []string{"quic"},
			Absence: Absence{Policy: Redial, Works: "local services answer local calls",
				Stops: "all links are down until it is back; then they are dialed again"},
		},
		{
			Kind: plugin.Discovery, Question: "where is the node of this name?",
			Cardinality: Chain, Defaults: []string{"static", "file", "dns"},
			Absence: Absence{Policy: FromMemory, Works: "links stay up, and names are resolved by the rest of the chain and then from memory",
				Stops: "nodes that were never looked up before are not found"},
		},
		{
			Kind: plugin.Trust, Question: "may this key be this node?",
			Cardinality: One, Defaults: []string{"tofu"},
			Absence: Absence{Policy: FailClosed, Works: "links that are up stay up",
				Stops: "every new handshake is refused"},
		},
		{
			Kind: plugin.Membership, Question: "who is here, who are my neighbours?",
			Cardinality: One, Defaults: []string{"hyparview"},
			Absence: Absence{Policy: Frozen, Works: "the members known last stay as they were",
				Stops: "nobody joins, and nobody is declared down"},
		},
		{
			Kind: plugin.Registry, Question: "who offers which service?",
			Cardinality: One, Defaults: []string{"ormap"},
			Absence: Absence{Policy: Stale, Works: "lookups answer from memory and say that they are stale",
				Stops: "services are neither registered nor unregistered"},
		},
	}
}

// SlotOf returns the slot of a kind; false if there is no such kind.
func SlotOf(kind plugin.Kind) (Slot, bool) {
	slots := Slots()
	i := slices.IndexFunc(slots, func(s Slot) bool { return s.Kind == kind })
	if i < 0 {
		return Slot{}, false
	}
	return slots[i], true
}
