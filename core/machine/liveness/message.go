package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// State is how a member is.
type State uint8

// The states. Of two words about one stamp the later in this list counts.
const (
	Unknown State = iota
	Alive
	Suspect
	Down
	Left
)

// String is the word used in reports.
func (s State) String() string {
	words := [...]string{"unknown", "alive", "suspect", "down", "left"}
	if int(s) < len(words) {
		return words[s]
	}
	return "?"
}

// Proof is what a host needs to show others that a node exists and said so: its record
// (name, key, endpoints, ...) and its signature over that and the stamp. The machine only passes
// it on.
type Proof struct{ Record, Sig []byte }

// Entry is one member in a message.
type Entry struct {
	Peer     overlay.Peer
	State    State
	Verified bool // by the host: Proof is of that node, at that stamp; not on the wire
	Refused  bool // by the host: Proof is good, but that node may not be a member; only ID is set; not on the wire
	Ref      uint32
	Inc      uint64
	Count    uint32
	Age      overlay.Time // since the counter moved, full milliseconds
	ID       uint64       // on the wire, of one whom the host does not know: Peer is Nobody
	Proof    *Proof       // Alive and Records only
}

// Count is one step of a counter.
type Count struct {
	Peer  overlay.Peer
	Count uint32
	Tag   uint16 // the low bits of the stamp that it counts for
	Age   uint8  // since the step, in tenths of a second; 255: that or more
}

// Kind says what a message is.
type Kind uint8

// The messages. The first three go to everybody.
const (
	Announce Kind = iota + 1 // Entries: one, alive or left, by its own word
	Obituary                 // Peer, Entries, Sig: Peer does not reach them
	Doubt                    // Entries: somebody takes them for down; let them speak
	Ping                     // Nonce
	Pong                     // Nonce
	Ask                      // Peer, Nonce: ping that one
	Answer                   // Peer, Nonce: it answered
	Counters                 // Counts
	Compare                  // Sums of all members, by bucket
	Table                    // Entries without proofs, of the buckets that differ
	Want                     // Entries: send their proofs
	Records                  // Entries with proofs
	Stale                    // Entries: have you seen a later step of these
	Differ                   // Sums, which are not those of the Compare that it answers
)

// String is the word used in the package comment.
func (k Kind) String() string {
	words := [...]string{"", "ANNOUNCE", "OBITUARY", "DOUBT", "PING", "PONG", "ASK", "ANSWER", "COUNTERS", "COMPARE", "TABLE", "WANT", "RECORDS", "STALE", "DIFFER"}
	if int(k) < len(words) {
		return words[k]
	}
	return "unknown"
}

// Message is what nodes say to each other, or to all. Its slices are shared: nobody changes
// them.
type Message struct {
	Kind     Kind
	Verified bool         // by the host: Sig is of Peer; Obituary only, not on the wire
	Peer     overlay.Peer // of whom (Ask, Answer) or by whom (Obituary)
	Nonce    uint32
	Sig      []byte
	Entries  []Entry
	Counts   []Count
	Sums     []uint64
}

// class sorts a message for the host.
func (m *Message) class() overlay.Class {
	switch m.Kind {
	case Announce, Obituary, Doubt:
		return overlay.Obituary
	case Ping, Pong, Ask, Answer:
		return overlay.Probe
	}
	return overlay.Counter
}

// mode says what a message may suffer.
func (m *Message) mode() overlay.Mode {
	switch m.Kind {
	case Ping, Pong:
		return overlay.Once
	}
	return overlay.Stream
}
