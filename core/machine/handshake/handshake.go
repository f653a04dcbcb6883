package handshake

import (
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// MaxEndpoints is how many endpoints an Identity may carry.
const MaxEndpoints = 8

// The protocol versions that this package speaks, both ends included.
const (
	MinVersion uint16 = 1
	MaxVersion uint16 = 1
)

// Identity is who a node says it is.
type Identity struct {
	Node        name.Node
	Key         [32]byte // raw Ed25519 public key
	Cluster     string   // 1 to 255 bytes
	Incarnation uint64
	Endpoints   []name.Address // where it can be dialed, at most MaxEndpoints
	Hidden      bool           // sends and calls, and is no member
}

// Config is all that one side of one handshake knows at its start.
type Config struct {
	Dialer  bool // this side dialed the connection
	Self    Identity
	Epoch   uint64        // dialer: its counter of dials in this life; ignored for the acceptor
	Expect  name.Node     // dialer: the name it dialed; zero accepts any
	Binding [32]byte      // channel binding of this connection; never zero
	Nonce   [32]byte      // fresh and random; never zero
	Wall    time.Time     // own wall clock when the machine is made
	Skew    time.Duration // how far the peer's wall clock may be off
	Timeout time.Duration // one deadline over everything
	Auth    bool          // signatures required
	Cookie  []byte        // empty: none
	// CookieOnly says whether a peer of that name may prove itself by cookie only. Nil:
	// nobody may. It must say no for a name that has a pin.
	CookieOnly func(name.Node) bool
	Sign       func(message []byte) [64]byte // Ed25519 with the key of Self; needed with Auth
}

// InputKind says what an Input is.
type InputKind uint8

// The inputs. Start comes first, once.
const (
	Start   InputKind = iota + 1 // the stream is open
	Frame                        // a body arrived
	Tick                         // time passed; due at Effects.Deadline
	Verdict                      // trust answered
	Broken                       // no more frames can be read
)

// Input is one thing that happened.
type Input struct {
	Kind    InputKind
	Frame   []byte // Frame: the body; not kept
	Verdict error  // Verdict: nil accepts the peer
	Err     error  // Broken: what reading returned, perhaps an error of ReadFrame
}

// Effects is what the host has to do after a Step, in the order of the fields. Step
// overwrites it, so one value can serve a whole handshake.
type Effects struct {
	Send     [][]byte      // bodies, in order; also when Done or Failed is set
	Deadline time.Duration // when a Tick is due; zero when the handshake is over
	Ask      *Peer         // ask trust about this peer and feed the Verdict
	Done     *Result       // both sides accepted
	Failed   error         // a *Refusal; Send may hold a last frame that tells the peer
}

// Peer is who the other side is.
type Peer struct{ Identity }

// Proof is how the peer proved who it is.
type Proof uint8

// The proofs. Only after Signed has the peer proved that it holds its key.
const (
	None       Proof = iota // auth is disabled on both sides
	Signed                  // a signature with its key
	CookieOnly              // a MAC with the cookie; the key is only claimed
)

// String is the word for logs.
func (p Proof) String() string {
	switch p {
	case None:
		return "none"
	case Signed:
		return "signed"
	case CookieOnly:
		return "cookie only"
	}
	return fmt.Sprintf("proof %d", uint8(p))
}

// Result is what both sides agreed on.
type Result struct {
	Peer    Identity
	Proof   Proof
	Version uint16
	Epoch   uint64 // the dialer's
}

// Why a handshake fails here and not because of a rule; test with errors.Is.
var (
	// ErrConfig: this side's own Config makes no handshake; nothing was sent.
	ErrConfig = errors.New("no handshake with this configuration")
	// ErrBroken: the stream ended before the handshake did; it wraps Input.Err.
	ErrBroken = errors.New("stream broken")
)
