// Package trust is the contract of the slot that decides whether a key may be a
// node. When it is asked, the handshake has proved that the peer holds the key and
// that it claims the name for this very connection; trust only decides whether that
// key and that name belong together.
//
// Who calls it: the link block, once for each handshake, on both sides, after the
// proof and the cookie and before anything else of the peer is read. Decide may block
// until the deadline of its context.
//
// What its absence means: no. A trust plugin that fails, panics, is gone or does not
// answer in time refuses the peer; links that are up stay up.
//
// Pins, the keys known to belong to names, are kept by the host on disk and lent to
// the plugin, so that changing the plugin loses none.
package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.trust.v1"

// Env is what a trust plugin is lent.
type Env struct {
	plugin.Env
	Pins Pins // never nil
}

// Factory makes trust plugins.
type Factory = plugin.Factory[Plugin, Env]

// Why a peer is refused; test with errors.Is. The text that wraps them travels to the
// peer, so it tells what the peer's operator can do and nothing that is secret.
var (
	// ErrUntrusted: nothing says that the key belongs to the name.
	ErrUntrusted = errors.New("untrusted key")
	// ErrKeyMismatch: another key is pinned for the name.
	ErrKeyMismatch = errors.New("key mismatch")
)

// Plugin decides about peers. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Decide returns nil to accept the claim. An error that wraps ErrUntrusted or
	// ErrKeyMismatch refuses it for that reason; any other error refuses it because
	// the question could not be answered.
	Decide(ctx context.Context, claim Claim) error
}

// Key is a raw Ed25519 public key.
type Key [32]byte

// Fingerprint is the SHA-256 of the 32 raw bytes in lower-case hex: what people
// compare.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	return hex.EncodeToString(sum[:])
}

// String is the key in lower-case hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k == Key{} }

// Claim is what a peer has proved (the key, for this connection) and what it claims
// (the name).
type Claim struct {
	Node    name.Node
	Key     Key
	Cluster string
	Remote  name.Address // where the peer was reached or came from; not proved
	Dialed  bool         // this side dialed, and the name is the one it dialed
}

// Pin is a key that is known to belong to a name.
type Pin struct {
	Node   name.Node
	Key    Key
	Pinned time.Time // when, in UTC
	Source string    // who: "tofu", "operator"
}

// Pins is the store of pins, lent by the host. All methods are safe for concurrent
// use and see what an operator changed on disk meanwhile.
type Pins interface {
	// Lookup returns the pin of node. An error means that the store could not be
	// read; it is never "there is none".
	Lookup(node name.Node) (pin Pin, found bool, err error)
	// PinIfAbsent pins key for node unless a pin exists: nil if it is the same key,
	// ErrKeyMismatch if it is another. It never replaces a pin. If the pin cannot be
	// written the error says so and nothing is pinned.
	PinIfAbsent(node name.Node, key Key, source string) error
}
