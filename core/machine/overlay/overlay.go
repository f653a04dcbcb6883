// Package overlay holds the words that the machines of a large cluster share:
// hyparview (who are my neighbours), plumtree (how does a message reach everybody) and
// liveness (who is alive). It is types only; it thinks nothing.
//
// A machine of this family is a value with
//
//	Step(now overlay.Time, in *overlay.Input[M], out *overlay.Effects[M])
//	Check() error
//
// where M is the machine's message: a plain value without pointers into its state.
// One Step takes one input and appends to out what is to be done. Nothing else goes in
// but the random source given at birth, and nothing else comes out; equal inputs give
// equal effects. Nodes are handles (Peer) that the host gave out for what it knows of
// them; names, keys, addresses and bytes are the host's business.
//
// A node is made of several machines, which do not know each other. Whoever puts them
// together calls them in a fixed order and hands the events of one to the next:
//
//	hv.Step(now, &hvIn, &hvOut)
//	for _, e := range hvOut.Events { ... }       // PeerUp, PeerDown: for plumtree
//	overlay.Move(out, &hvOut, func(m hyparview.Message) message { ... })
//
// The host does the effects of one Step in this order: Persists, Timers, Dials, Sends,
// Closes, Events. core/sim is one host, the membership plugin is another.
package overlay

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Time is a moment on the monotonic clock of one node: nanoseconds since an epoch that
// is the host's choice. Clocks of two nodes have nothing to do with each other.
type Time = time.Duration

// Never is a moment that does not come.
const Never = Time(1<<63 - 1)

// Peer is a node, as a number that the host gave out. Numbers of different hosts have
// nothing to do with each other; a simulation uses the same everywhere.
type Peer uint32

// Nobody is no peer.
const Nobody Peer = 0

// Reason says why a link ended or a dial came to nothing.
type Reason = transport.CloseCode

// The reasons that machines tell apart; Evidence sorts all of them.
const (
	Lost      = transport.CloseNone      // reset, or no route
	Stopping  = transport.CloseStopping  // the process ends
	Leaving   = transport.CloseLeaving   // it leaves the cluster
	Idle      = transport.CloseIdle      // nobody needed the link
	Duplicate = transport.CloseDuplicate // another link of the pair won
	Refused   = transport.CloseRefused   // not let in
	Silent    = transport.CloseSilent    // nothing heard for the idle time
	Dropped   = transport.CloseDropped   // released by the machine at one end
	Restarted = transport.CloseRestarted // a later life of the peer is known
)

// Owner says which machine of a node a timer or a record belongs to.
type Owner uint8

// The machines of this family.
const (
	HyParView Owner = iota + 1
	Plumtree
	Liveness
	Custom // of a test
)

// Timer names a timer. Two armed timers may be equal in all but Gen. A machine never
// cancels: it forgets the generation, and ignores the timer when it fires.
type Timer struct {
	Owner Owner
	Kind  uint8
	Gen   uint32
	Key   uint64
}

// Record is a number to keep on disk, under a number.
type Record struct {
	Owner Owner
	Key   uint8
	Value uint64
}
