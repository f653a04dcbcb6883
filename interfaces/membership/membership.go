// Package membership is the contract of the slot that knows who is in the cluster and
// who is a neighbour of this node.
//
// There are two families of events, never confused. Peer events are about this node's
// own neighbours: up when one enters the active view, down when it leaves it, which
// says nothing about its life. Member events are about the cluster: up, suspect, down
// and left, each for one incarnation of one node; whatever depends on who is alive
// (services, placement) listens to these only.
//
//	suspect ◄──────► alive ◄┐     one incarnation of one member;
//	   │   refuted     │    │     a higher incarnation starts
//	   ▼               ▼    │     again at alive
//	 down            left ──┤
//	   └────────────────────┘
//
// Down is a guess from silence. It ends by proof of life, which is a link to that very
// incarnation, or by a higher incarnation. Left is the node's own word, and ends by
// its own word only: when the node itself, over a link of its own, joins again. What
// others say never revives a member that is down or left. An event is never about an
// incarnation lower than one already reported for that node, and never repeats the
// state that was reported last.
//
// A third family, node events, is about this node itself: isolated when its last
// neighbour is gone, connected when it has one again; partitioned when many members
// went at once or are known and out of reach, healed when that is over.
//
// A name stands for one key. What others say of a member is believed only as far as
// that member signed it (Env.Signer, Env.Vet); a name seen with a second key is a
// MemberConflict and a refusal, never a silent replacement.
//
// Who calls it: the node. Join and Leave come from its user; Input brings what
// happens on links, one at a time and in order, and must not block. What the
// plugin wants done it asks of Network, from goroutines of its own. Members and View
// are reads of memory.
//
// A promise that every membership keeps: it heals. While any remembered member or
// contact can be reached again, the cluster becomes whole again without a human,
// unless the node has left. Leave is sticky: after it the node joins nobody and
// accepts nobody until Join is called; what it knew of others is void, and each member
// that was up gets a MemberDown. Contacts of the configuration are the bootstrap's
// business: it calls Join while the active view is empty and the node has not left.
//
// What its absence means: the view is frozen; nobody joins, nobody is declared dead.
package membership

import (
	"context"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.membership.v1"

// Env is what a membership plugin is lent.
type Env struct {
	plugin.Env
	Network Network
	// Emit publishes an event. It never blocks and keeps the order of calls. With the MemberUp of
	// a life later than the one that is linked, that link ends: LinkDown with CloseRestarted.
	Emit func(Event)
	// Signer signs what this node says of itself, for trust.ForMembership.
	Signer trust.Signer
	// Vet says whether hearsay may be believed: that key is node. nil, or an error that
	// wraps trust.ErrKeyMismatch or trust.ErrUntrusted. It does not block for long.
	Vet func(node name.Node, key trust.Key) error
}

// Factory makes membership plugins.
type Factory = plugin.Factory[Plugin, Env]

// ErrLeft: this node, or the node asked, has left and does not join.
var ErrLeft = errors.New("node has left")

// Plugin is a membership. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Join enters the cluster through a node, and ends what Leave began. It returns
	// when that node has taken this one in, or with the reason why not.
	Join(ctx context.Context, through name.Node) error
	// Leave tells the cluster good-bye and returns when the neighbours know, or when
	// ctx ends. Idempotent.
	Leave(ctx context.Context) error
	// Input takes one thing that happened on a link. It must not block.
	Input(in Input)
	// Members lists every member known, this node included, sorted by node.
	Members() []Member
	// View is the neighbours (active) and the members kept in reserve (passive),
	// both sorted, this node in neither.
	View() View
}

// State is how a member is.
type State string

// The states of a member.
const (
	Alive   State = "alive"
	Suspect State = "suspect"
	Down    State = "down"
	Left    State = "left"
)

// Member is what is known of a node in the cluster.
type Member struct {
	Node        name.Node
	Key         trust.Key // zero if it is not known
	State       State
	Incarnation uint64
	Endpoints   []name.Address
	Neighbour   bool
	Since       time.Time // of the state
}

// View is the neighbourhood of this node.
type View struct{ Active, Passive []name.Node }

// EventType says what happened; the first word is the family.
type EventType string

// The events of the three families. MemberConflict stands beside the states: it changes
// none, and Incarnation is zero.
const (
	PeerUp         EventType = "peer up"
	PeerDown       EventType = "peer down"
	MemberUp       EventType = "member up"
	MemberSuspect  EventType = "member suspect"
	MemberDown     EventType = "member down"
	MemberLeft     EventType = "member left"
	MemberConflict EventType = "member conflict" // its name was seen with a second key; Reason has both
	Isolated       EventType = "node isolated"
	Connected      EventType = "node connected"
	Partitioned    EventType = "node partitioned"
	Healed         EventType = "node healed"
)

// Event is a change that the plugin reports.
type Event struct {
	Type        EventType
	Node        name.Node
	Incarnation uint64
	Endpoints   []name.Address
	Reason      string // why, in a word or two, for downs and suspicions
}

// InputKind says what happened on a link.
type InputKind uint8

// The inputs. LinkUp comes before any Frame of that link, LinkDown after the last.
const (
	LinkUp InputKind = iota + 1
	LinkDown
	Frame
	Broadcast // what a node gave to Network.Broadcast, once at most
	Tree      // Nodes are the neighbours to which broadcasts go at once, from now on
	LinkMoved // between LinkUp and LinkDown: Peer.Remote is another, and the link is the same
)

// Input is one thing that happened on a link, or to the broadcasts.
type Input struct {
	Kind  InputKind
	Peer  Peer                // the node at the other end; of a Broadcast the one that passed it on
	Data  []byte              // Frame, Broadcast: the bytes; the plugin may keep them
	Nodes []name.Node         // Tree
	Code  transport.CloseCode // LinkDown: why; CloseNone when the peer was lost; CloseRestarted when a later life is known
	Text  string              // LinkDown: the same for people
}

// Peer is a node with a link to this one, as the handshake proved it.
type Peer struct {
	Node        name.Node
	Key         trust.Key // zero if auth is disabled: nobody proves one
	Incarnation uint64
	Endpoints   []name.Address // where it says it can be dialed
	Remote      name.Address   // where it is seen from here
}

// Errors of Network; test with errors.Is.
var (
	// ErrNoLink: there is no link to that node now.
	ErrNoLink = errors.New("no link")
	// ErrBusy: the link's queue is full; the peer reads too slowly.
	ErrBusy = errors.New("link is busy")
	// ErrTooLarge: more than MaxFrame or MaxBroadcast.
	ErrTooLarge = errors.New("too large")
)

// MaxFrame is the largest frame that Network.Send takes, in bytes.
const MaxFrame = 64 << 10

// MaxBroadcast is the largest data that Network.Broadcast takes, in bytes.
const MaxBroadcast = 256 << 10

// Network is what the host does for a membership: links, and frames on them. All
// methods are safe for concurrent use.
type Network interface {
	// Self is where this node can be dialed now, best first.
	Self() []name.Address
	// Connect makes sure that there is a link to node. It blocks until the link is
	// up, ctx ends or dialing failed. known are endpoints to try before discovery is
	// asked.
	Connect(ctx context.Context, node name.Node, known []name.Address) error
	// Send queues a frame on the link to node and never blocks: ErrNoLink, ErrBusy.
	Send(node name.Node, frame []byte) error
	// Hold keeps the link to node from being collected as idle, or lets it go again.
	Hold(node name.Node, hold bool)
	// Broadcast sends data to every member that can be reached over neighbours, as an
	// Input there; not to this node. It never blocks: ErrTooLarge.
	Broadcast(data []byte) error
	// Flush returns when the neighbours have read what was broadcast before, or ctx ends.
	Flush(ctx context.Context) error
	// Disconnect closes the link to node, if there is one, after what was sent before.
	// With CloseDropped or CloseIdle it only lets the link go, and the hold on it: the
	// host closes it, with CloseIdle, once nobody else has used it for a moment and the
	// peer does not need it either, and keeps it while somebody does. LinkDown tells
	// when it is closed; until then the link is up and frames pass.
	Disconnect(node name.Node, code transport.CloseCode, reason string)
}
