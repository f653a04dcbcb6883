// Package registry is the contract of the slot that knows who offers which service.
// A registration is a fact written by the node that owns it: a service name, a
// reference and metadata. Any node may register any name; registrations of one name
// by several nodes coexist. Reads are reads of this node's own memory.
//
// What is registered and what is visible are two things: an entry is visible while
// its owner is alive at the incarnation that wrote it. Losing contact hides, it never
// deletes; contact regained at the same incarnation shows the entry again.
//
// Who calls it: the process block writes and reads, the node passes member events to
// Observe. Put and Remove return when the fact holds on this node; how it travels to
// others is the plugin's business. Lookup and List never block.
//
// What its absence means: reads go on with what is in memory and say that they are
// stale; writes are refused.
package registry

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.registry.v1"

// Env is what a registry is lent.
type Env struct {
	plugin.Env
	// Emit publishes an event. It never blocks and keeps the order of calls.
	Emit func(Event)
}

// Factory makes registries.
type Factory = plugin.Factory[Plugin, Env]

// Errors of a registry; test with errors.Is.
var (
	// ErrNotFound: no such registration.
	ErrNotFound = errors.New("service not found")
	// ErrNotOwner: a registration of another node cannot be changed from here.
	ErrNotOwner = errors.New("not the owner")
	// ErrTooLarge: the metadata exceeds MaxMeta.
	ErrTooLarge = errors.New("metadata too large")
)

// MaxMeta is the bound on the metadata of one entry: the bytes of all keys and values.
const MaxMeta = 64 << 10

// Plugin is a registry. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Put registers an entry of this node, or replaces the metadata of the one with
	// the same service and reference.
	Put(ctx context.Context, entry Entry) error
	// Remove takes an entry of this node back.
	Remove(ctx context.Context, service name.Service, ref name.Ref) error
	// Lookup lists the visible entries of a service, this node's own first, then by
	// reference. The caller must not change the slice or the maps in it.
	Lookup(service name.Service) []Entry
	// List lists the services with visible entries whose name starts with prefix,
	// sorted by name.
	List(prefix string) []Count
	// Observe takes a member event: who is alive, at which incarnation. It must not
	// block.
	Observe(event membership.Event)
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

// The events of a registry. Down: the owner died, its entry is hidden.
const (
	Registered   EventType = "registered"
	Updated      EventType = "updated"
	Unregistered EventType = "unregistered"
	EntryDown    EventType = "down"
)

// Event is a change of what is visible on this node.
type Event struct {
	Type   EventType
	Entry  Entry
	Reason string // for EntryDown
}
