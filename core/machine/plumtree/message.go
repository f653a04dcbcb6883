package plumtree

import "github.com/barrelp2p/barrel/core/machine/overlay"

// ID names a broadcast.
type ID struct {
	Origin uint64 // a number of the node that no other has: a hash of its name
	Life   uint64 // its incarnation
	Seq    uint64 // counts from 1 in each life
}

// Announce is one line of a list: a broadcast, and the round at which the listener
// would get it from the sender.
type Announce struct {
	ID    ID
	Round uint32
}

// Kind says what a message is.
type Kind uint8

// The messages.
const (
	Gossip Kind = iota + 1 // ID, Round, Key, Data: the broadcast itself
	IHave                  // List: ask if you lack one of them
	Graft                  // List: send these, and make the link eager
	Prune                  // make the link lazy
	Gone                   // List: asked for, and not here any more
)

// String is the word used in the package comment.
func (k Kind) String() string {
	words := [...]string{"", "GOSSIP", "IHAVE", "GRAFT", "PRUNE", "GONE"}
	if int(k) < len(words) {
		return words[k]
	}
	return "unknown"
}

// Message is what two neighbours say to each other. Data and List are shared with the
// sender's state: nobody changes them.
type Message struct {
	Kind    Kind
	Eager   bool   // with Version: what the sender takes the link for
	Version uint32 // counts the changes of the link
	Round   uint32 // hops from the origin to the receiver
	ID      ID
	Key     uint64 // the user's; a topic, say
	Data    []byte
	List    []Announce
}

// class sorts a message for the host.
func (m *Message) class() overlay.Class {
	if m.Kind == Gossip {
		return overlay.Payload
	}
	return overlay.Announce
}

// Size is how many bytes the message is on the wire.
func (m Message) Size() int { return Size(&m) }
