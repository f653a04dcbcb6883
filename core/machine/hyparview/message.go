package hyparview

import (
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Kind says what a message is.
type Kind uint8

// The messages.
const (
	Join         Kind = iota + 1 // take me in
	ForwardJoin                  // Subject, TTL: somebody to take in, on a walk
	Neighbor                     // Flags: be my neighbour
	Reply                        // Flags: the answer to Join and Neighbor
	Disconnect                   // Flags, Subject: not my neighbour any more, but the subject is
	Shuffle                      // Subject (the origin), TTL, IDs
	ShuffleReply                 // IDs
)

// The flags.
const (
	High   uint8 = 1 << iota // Neighbor: I have nobody
	Accept                   // Reply: yes
	Gone                     // Disconnect, Reply: I leave the cluster, or have left it
)

// Message is what two machines say to each other. It is a plain value; two are equal
// when they say the same.
type Message struct {
	Kind    Kind
	TTL     uint8
	Flags   uint8
	Count   uint8 // of IDs
	Subject overlay.Peer
	IDs     [MaxIDs]overlay.Peer
}

// Peers are the ids it carries. They share memory with the message.
func (m *Message) Peers() []overlay.Peer { return m.IDs[:min(int(m.Count), MaxIDs)] }

func (m *Message) add(p overlay.Peer) {
	if m.Count < MaxIDs {
		m.IDs[m.Count] = p
		m.Count++
	}
}

// Size is about what it takes on the wire: a peer is a record of name, incarnation, one
// address and a signature.
func (m Message) Size() int {
	const head, record = 6, 128
	n := head + int(m.Count)*record
	if m.Subject != overlay.Nobody {
		n += record
	}
	return n
}

// Digest is a number that depends on every field.
func (m Message) Digest() uint64 {
	const prime = 1099511628211
	h := uint64(m.Kind)<<56 | uint64(m.TTL)<<48 | uint64(m.Flags)<<40 | uint64(m.Count)<<32 | uint64(m.Subject)
	for _, p := range m.Peers() {
		h = (h ^ uint64(p)) * prime
	}
	return h
}

// class sorts it for accounting.
func (m *Message) class() overlay.Class {
	if m.Kind == Shuffle || m.Kind == ShuffleReply {
		return overlay.Shuffle
	}
	return overlay.Membership
}

// String is what a trace shows.
func (m Message) String() string {
	kinds := [...]string{"nothing", "JOIN", "WALK", "NEIGHBOR", "REPLY", "DISCONNECT", "SHUFFLE", "GIVE"}
	if int(m.Kind) >= len(kinds) {
		return fmt.Sprintf("kind %d", m.Kind)
	}
	text := kinds[m.Kind]
	for i, flag := range [...]string{"high", "yes", "gone"} {
		if m.Flags&(1<<i) != 0 {
			text += " " + flag
		}
	}
	if m.Subject != overlay.Nobody {
		text += fmt.Sprintf(" of %d", m.Subject)
	}
	if m.Kind == ForwardJoin || m.Kind == Shuffle {
		text += fmt.Sprintf(" ttl %d", m.TTL)
	}
	for _, p := range m.Peers() {
		text += fmt.Sprintf(" %d", p)
	}
	return text
}
