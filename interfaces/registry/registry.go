// Package registry is the contract of the slot that knows who offers which service.
// A registration is a fact written by the node that owns it: a service name, a
// reference and metadata. Any node may register any name; registrations of one name
// by several nodes coexist. Reads are reads of this node's own memory.
//
// What is registered and what is visible are two things: an entry is visible while
// its owner is alive at the incarnation that wrote it. Losing contact hides, it never
// deletes; contact regained at the same incarnation shows the entry again.
//
// A registry that spans nodes speaks over Network: to all members, and to the
// neighbours. What it hears of an owner is believed only as far as that owner signed
// it (Signer, Network.Key), whoever brought it.
//
//	Put ──► own entries ──► Broadcast ─────► Input ──► their view
//	                        Send ──────────► Input     what they missed
//	                        member events ─► Input     who is alive
//
// Who calls it: the service block writes and reads; the node passes what happens to
// Input. Put and Remove return when the fact holds on this node; how it travels to
// others is the plugin's business. Lookup and List never block, and allocate nothing
// but List's answer.
//
// What its absence means: reads go on with what is in memory and say that they are
// stale; writes are refused.
package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.registry.v1"

// Env is what a registry is lent.
type Env struct {
	plugin.Env
	Network Network
	// Signer signs what this node says of itself, for trust.ForRegistry.
	Signer trust.Signer
	// Emit publishes an event. It never blocks and keeps the order of calls.
	Emit func(Event)
	// Policy says who may register a name, and always says the same; nil: everybody
	// everything. What it refuses is refused by Put, and not shown when another node
	// has registered it.
	Policy func(service name.Service, owner name.Node) error
}

// Allowed asks the policy; the error wraps ErrNotAllowed.
func (e *Env) Allowed(service name.Service, owner name.Node) error {
	if e.Policy == nil {
		return nil
	}
	if err := e.Policy(service, owner); err != nil {
		return fmt.Errorf("service %s of %s: %w: %w", service, owner, ErrNotAllowed, err)
	}
	return nil
}

// Factory makes registries.
type Factory = plugin.Factory[Plugin, Env]

// Errors of a registry; test with errors.Is.
var (
	// ErrNotFound: no such registration.
	ErrNotFound = errors.New("service not found")
	// ErrNotOwner: a registration of another node cannot be changed from here.
	ErrNotOwner = errors.New("not the owner")
	// ErrTooLarge: the metadata exceeds MaxMeta or MaxPairs, or what the settings allow.
	ErrTooLarge = errors.New("metadata too large")
	// ErrNotAllowed: the policy of this node refuses the registration.
	ErrNotAllowed = errors.New("not allowed by the service policy")
	// ErrFull: this node has as many entries as it may have.
	ErrFull = errors.New("registry is full")
	// ErrNoLink and ErrBusy are what Network.Send says.
	ErrNoLink = membership.ErrNoLink
	ErrBusy   = membership.ErrBusy
)

// MaxMeta is the bound on the metadata of one entry, the bytes of all keys and values;
// MaxPairs on their number.
const (
	MaxMeta  = 64 << 10
	MaxPairs = 1024
)

// Plugin is a registry. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Put registers an entry of this node, or replaces the metadata of the one with
	// the same service and reference.
	Put(ctx context.Context, entry Entry) error
	// Remove takes an entry of this node back. Without a reason all nodes hear that it
	// was Unregistered; with one, for example why its process ended, that it is
	// EntryDown.
	Remove(ctx context.Context, service name.Service, ref name.Ref, reason string) error
	// Lookup lists the visible entries of a service, this node's own first, then by
	// reference. The caller must not change the slice or the maps in it.
	Lookup(service name.Service) []Entry
	// List lists the services with visible entries whose name starts with prefix,
	// sorted by name.
	List(prefix string) []Count
	// Input takes one thing that happened. It must not block.
	Input(in Input)
}

// Finder is the optional ability to look for a service beyond this node's own memory,
// for a node that has only just joined and may not have heard of everything.
type Finder interface {
	// Find asks others for a service that Lookup does not know. It returns when the
	// service is visible here, when nobody who was asked knows it, or when ctx ends;
	// only the last is an error. It is bounded in hops and in flight: ErrBusy, and nobody
	// was asked. A question that was just answered with no is not asked again.
	Find(ctx context.Context, service name.Service) error
}

// Entry is one registration.
type Entry struct {
	Service name.Service
	Ref     name.Ref
	Meta    map[string]string // never nil on the way out
	Since   time.Time         // when it was first registered, UTC
}

// Count is a service and how many visible entries it has.
type Count struct {
	Service   name.Service
	Instances int
}

// EventType says what happened to an entry.
type EventType string

// The events of a registry. Down: the entry's process ended or its owner died, it is
// gone or hidden; the reason says which.
const (
	Registered   EventType = "registered"
	Updated      EventType = "updated"
	Unregistered EventType = "unregistered"
	EntryDown    EventType = "down"
)

// Event is a change of what is visible on this node. A change on another node is told
// here like one on this node, once, whatever way it came. Who missed so much that it
// only learns the outcome tells a removal as EntryDown with the reason "unknown".
type Event struct {
	Type   EventType
	Entry  Entry
	Reason string // for EntryDown
}

// InputKind says what happened.
type InputKind uint8

// The inputs. Those about one neighbour come in order: PeerUp before any Frame of it,
// PeerDown after the last.
const (
	Member    InputKind = iota + 1 // Event: a member event; who is alive, at which incarnation
	PeerUp                         // Node: it is a neighbour now, and linked
	PeerDown                       // Node: it is none any more
	Frame                          // Node: who sent it; Data
	Broadcast                      // Data, of any member; Node: who passed it on
)

// Input is one thing that happened.
type Input struct {
	Kind  InputKind
	Event membership.Event
	Node  name.Node
	Data  []byte // the plugin may keep it
}

// MaxFrame is the largest frame that Network.Send takes, MaxBroadcast the largest data
// of Network.Broadcast, in bytes.
const (
	MaxFrame     = 64 << 10
	MaxBroadcast = 256 << 10
)

// Network is what the host does for a registry. All methods are safe for concurrent
// use and none blocks.
type Network interface {
	// Broadcast sends data to every member that can be reached over neighbours; not to
	// this node. It may be lost.
	Broadcast(data []byte) error
	// Send queues a frame on the link to node: ErrNoLink, ErrBusy.
	Send(node name.Node, frame []byte) error
	// Neighbours lists the neighbours of this node, sorted.
	Neighbours() []name.Node
	// Key is the key of a member, false if it is not known. It is the zero key where
	// nodes prove none; nothing can be verified there, and nothing is signed.
	Key(node name.Node) (key trust.Key, known bool)
	// RTT is the round-trip time of the link to node as last measured, 0 without one.
	RTT(node name.Node) time.Duration
}
