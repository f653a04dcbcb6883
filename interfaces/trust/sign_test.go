package trust_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

// TestVerifyTellsPurposesApart: what a plugin may sign for its own slot must not pass
// for anything else.
func TestVerifyTellsPurposesApart(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key := trust.Key(private.Public().(ed25519.PublicKey))
	message := []byte("a is alive")
	sig := [64]byte(ed25519.Sign(private, trust.Signed(trust.ForMembership, message)))
	cases := []struct {
		name    string
		key     trust.Key
		purpose trust.Purpose
		message string
		want    bool
	}{
		{"as signed", key, trust.ForMembership, "a is alive", true},
		{"other purpose", key, trust.ForRegistry, "a is alive", false},
		{"other message", key, trust.ForMembership, "a is down", false},
		{"other key", trust.Key{1}, trust.ForMembership, "a is alive", false},
		{"no key", trust.Key{}, trust.ForMembership, "a is alive", false},
	}
	for _, c := range cases {
		if got := trust.Verify(c.key, c.purpose, []byte(c.message), sig); got != c.want {
			t.Errorf("%s: verifies %v, want %v", c.name, got, c.want)
		}
	}
	if ed25519.Verify(key[:], message, sig[:]) {
		t.Error("the signature is one of the bare message, which could be a handshake")
	}
}
