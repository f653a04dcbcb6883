package trust

import "crypto/ed25519"

// Purpose says what a signature is for. A signature for one purpose is worth nothing
// for another, and none of them is that of a handshake: so a plugin that is lent a
// Signer can speak in its own field only, and cannot pose as the node.
type Purpose string

// The purposes of the slots.
const (
	ForMembership Purpose = "membership"
	ForRegistry   Purpose = "registry"
)

// Signer signs in the name of this node, for one purpose. It is safe for concurrent
// use. The key may change while the node runs (barrel keys rotate): whoever shows the
// key together with a signature asks for both anew.
type Signer interface {
	Public() Key
	// Sign is the Ed25519 signature (RFC 8032) of what Verify checks.
	Sign(message []byte) [64]byte
}

// Vetter is the optional ability of a trust plugin to judge hearsay: what a third
// party says of a node that this one has never met. Vet learns nothing and pins
// nothing; nil means that nothing speaks against it, which opens no link: a link is
// Decide's. ErrUntrusted and ErrKeyMismatch are verdicts, another error says that it
// could not tell. It must answer from memory or local disk, for whoever asks waits; a
// plugin in a process has a second.
type Vetter interface {
	Vet(claim Claim) error
}

// Signed is what is really signed when a Signer of that purpose signs message.
func Signed(purpose Purpose, message []byte) []byte {
	context := "barrel " + string(purpose) + " v1\x00"
	return append(append(make([]byte, 0, len(context)+len(message)), context...), message...)
}

// Verify reports whether sig is the signature of message for that purpose by key.
func Verify(key Key, purpose Purpose, message []byte, sig [64]byte) bool {
	return ed25519.Verify(key[:], Signed(purpose, message), sig[:])
}
