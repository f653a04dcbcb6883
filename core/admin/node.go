package admin

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Node is what the server asks of a running node. All methods are safe for concurrent
// use. Errors are *Error where the kind matters to the caller's exit status.
type Node interface {
	Reader
	Actor
	Messenger
	Keeper
	Streamer
	Replacer
}

// Replacer starts plugins anew that run in processes of their own.
type Replacer interface {
	// ReplacePlugin reads the configuration again and starts a new process, which takes
	// the place of the old one when it works. With an error the old one stays.
	ReplacePlugin(ctx context.Context, kind, name string) (Plugin, error)
}

// Reader answers questions from memory.
type Reader interface {
	Status() Status
	Members() []Member
	View() View
	Links() []Link
	Services(prefix string) []Service
	Lookup(service name.Service) []Instance
	Plugins() []Plugin
	// Events streams events until ctx ends. started is called once, when no event can be
	// missed any more; emit after it, from one goroutine. An error of either ends the
	// stream and is returned.
	Events(ctx context.Context, watch Watch, started func() error, emit func(Event) error) error
}

// Actor does things with other nodes.
type Actor interface {
	Join(ctx context.Context, through name.Node) error
	Leave(ctx context.Context) error
	Ping(ctx context.Context, node name.Node) (time.Duration, error)
	Discover(ctx context.Context, node name.Node, explain bool) (Discovery, error)
	// Whereis returns one instance, local first; it waits and tries again up to
	// retries times when there is none.
	Whereis(ctx context.Context, service name.Service, retries int) (Instance, error)
	// Doctor looks for reasons why things do not work; node may be zero.
	Doctor(ctx context.Context, node name.Node) []Check
	// Reload reads the configuration again and returns what it did, a line each.
	Reload(ctx context.Context) ([]string, error)
}

// Messenger carries messages to and from services. A target is a service NAME,
// NAME@NODE, or a reference.
type Messenger interface {
	Call(ctx context.Context, target string, payload []byte) ([]byte, error)
	Send(ctx context.Context, target string, payload []byte) error
	// Serve registers a service and calls handle for each message and call, from
	// several goroutines, until ctx ends; then the registration is gone. started is
	// called once, when the service is registered.
	Serve(ctx context.Context, service name.Service, meta map[string]string, started func(Instance),
		handle func(context.Context, Delivery) ([]byte, error)) error
}

// Keeper looks after keys and pins.
type Keeper interface {
	Keys() Keys
	Rotate(ctx context.Context, what string) (Rotation, error)
	Pins() ([]Pin, error)
	AddPin(node name.Node, key [32]byte) error
	RemovePin(node name.Node) error
	TrustMode() string
	SetTrustMode(ctx context.Context, mode string) error
}

// Kind is the kind of an error, as the exit status of the command line tells it.
type Kind string

// The kinds; each is an exit status of the command line.
const (
	KindFailed   Kind = "failed"    // 1
	KindUsage    Kind = "usage"     // 2
	KindNoNode   Kind = "no_node"   // 3
	KindTimeout  Kind = "timeout"   // 4
	KindRefused  Kind = "refused"   // 5: by trust or cookie
	KindNotFound Kind = "not_found" // 6: no such node, service or pin
)

// Error is an error whose kind survives the socket.
type Error struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

// Error is the text for people.
func (e *Error) Error() string { return e.Text }
