package identity

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Signer is one key pair. It is immutable and safe for concurrent use; it prints as
// its fingerprint, whatever the verb. The zero Signer has no key and must not sign.
type Signer struct{ private ed25519.PrivateKey }

func signerOf(seed trust.Key) Signer { return Signer{ed25519.NewKeyFromSeed(seed[:])} }

// Public is the public key, the zero key of the zero Signer.
func (s Signer) Public() (key trust.Key) {
	if s.private != nil {
		copy(key[:], s.private[ed25519.SeedSize:])
	}
	return key
}

// Fingerprint is the fingerprint of the public key: lower-case hex.
func (s Signer) Fingerprint() string { return s.Public().Fingerprint() }

// Sign returns the Ed25519 signature of message (RFC 8032).
func (s Signer) Sign(message []byte) [64]byte {
	return [64]byte(ed25519.Sign(s.private, message))
}

// Format keeps the private key out of every print.
func (s Signer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key %s", s.Fingerprint()) }

// LogValue keeps the private key out of every log.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.Fingerprint()) }

func (s Signer) seed() []byte { return s.private.Seed() }
