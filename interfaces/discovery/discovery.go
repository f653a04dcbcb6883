// Package discovery is the contract of the slot that answers one question: at which
// addresses can the node of this name be dialed?
//
// A backend is a source of hints, nothing more. It proves nothing: a wrong answer
// costs a failed dial, because the handshake finds another name or key there. Several
// backends form a chain in the order of the configuration, the first that knows the
// name wins; that chain, its cache and its memory are not a backend's business.
//
// Who calls it: the resolver block, once per dial that is not answered from its
// cache. Every call has a deadline and may block until then. A backend says
// ErrNotFound when it knows that it does not know the name; any other error means
// "could not tell", and is never taken for an answer.
//
// What its absence means: the chain goes on to the next backend, and answers from
// memory when all are gone; links that are up stay up.
//
// Optional abilities are small interfaces that a backend may implement besides:
// Publisher, Lister, Watcher, and plugin.Reloader.
package discovery

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.discovery.v1"

// Env is what a discovery backend is lent.
type Env = plugin.Env

// Factory makes discovery backends.
type Factory = plugin.Factory[Plugin, Env]

// ErrNotFound: this backend does not know the node.
var ErrNotFound = errors.New("node not found")

// Plugin is a discovery backend. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Lookup answers where node can be dialed, best endpoint first, at least one.
	Lookup(ctx context.Context, node name.Node) (Answer, error)
}

// Answer is what a backend knows of a node.
type Answer struct {
	Endpoints []name.Address
	// TTL is for how long the answer may be used without asking again; zero: the
	// resolver decides.
	TTL time.Duration
	// AsOf is when the fact was written; zero: now.
	AsOf time.Time
}

// Record is what a node publishes of itself.
type Record struct {
	Node        name.Node
	Endpoints   []name.Address
	Incarnation uint64
	Written     time.Time
}

// Publisher is the optional ability to tell others where this node is.
type Publisher interface {
	// Publish replaces what was published of record.Node before.
	Publish(ctx context.Context, record Record) error
	// Withdraw removes it. Nothing published is no error.
	Withdraw(ctx context.Context, node name.Node) error
}

// Lister is the optional ability to name all nodes one knows.
type Lister interface {
	List(ctx context.Context) (Listing, error)
}

// Listing is the answer of a Lister, sorted by node.
type Listing struct {
	Records  []Record
	Complete bool // nothing is known to be missing
	AsOf     time.Time
}

// Watcher is the optional ability to say that answers have changed. The channel
// carries the nodes concerned, the zero Node for "anything may have changed", and is
// closed when ctx ends or the backend stops. A watcher never blocks on a slow reader:
// it drops to the zero Node.
type Watcher interface {
	Watch(ctx context.Context) (<-chan name.Node, error)
}
