package sim

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// Message is what nodes of one world send each other: a plain value.
type Message interface {
	Size() int      // bytes on the wire, about
	Digest() uint64 // of all its fields, for the trace
}

// Node is what is simulated. It may also be a Viewer.
type Node[M Message] interface {
	Step(now overlay.Time, in *overlay.Input[M], out *overlay.Effects[M])
	Check() error
}

// Viewer is a node that has views.
type Viewer interface {
	Active(into []overlay.Peer) []overlay.Peer
	Passive(into []overlay.Peer) []overlay.Peer
}

// Boot is what a node begins a life with.
type Boot struct {
	Self    overlay.Peer
	Inc     uint64 // 1 in its first life
	Now     overlay.Time
	RNG     *rand.Rand
	Records []overlay.Record // what its former lives persisted, the last of each key
}

// Config makes a world. Zero values are said.
type Config[M Message] struct {
	Seed    uint64
	Nodes   int
	New     func(Boot) Node[M]
	Latency Latency      // Fixed(1ms)
	Idle    overlay.Time // silence that ends a link; 0: a dead end is noticed after one latency
	Dial    overlay.Time // how long a dial in vain takes; 0: one round trip

	Loss      float64 // of datagrams and of packets of streams, 0..1
	Duplicate float64 // of datagrams
	Reorder   float64 // datagrams that take up to 10 times as long

	// Contacts answers Effects.Discover; nil: discovery knows nobody.
	Contacts func(asking overlay.Peer) []overlay.Peer
	// Observe sees every event of every node; nil: nobody looks.
	Observe func(now overlay.Time, at overlay.Peer, e *overlay.Event)
	// Codec encodes, decodes and compares; its error ends up in Err. nil: by value.
	Codec func(*M) error
	// Check calls Check of the node after every step; its error ends up in Err.
	Check bool
}

// Latency says how long a packet takes from one node to another.
type Latency func(from, to overlay.Peer, rng *rand.Rand) overlay.Time

// Fixed is the same latency for every packet.
func Fixed(d overlay.Time) Latency {
	return func(overlay.Peer, overlay.Peer, *rand.Rand) overlay.Time { return d }
}

// Uniform is a latency between low and high, for every packet anew.
func Uniform(low, high overlay.Time) Latency {
	return func(_, _ overlay.Peer, rng *rand.Rand) overlay.Time {
		return low + overlay.Time(rng.Int64N(int64(high-low)+1))
	}
}

// Pairwise gives every pair of nodes its own latency between low and high, and every
// packet up to a tenth more.
func Pairwise(low, high overlay.Time) Latency {
	return func(a, b overlay.Peer, rng *rand.Rand) overlay.Time {
		pair := uint64(min(a, b))<<32 | uint64(max(a, b))
		base := low + overlay.Time(mix(0, pair)%uint64(high-low+1))
		return base + overlay.Time(rng.Int64N(int64(base)/10+1))
	}
}

const millisecond = time.Millisecond
