package identity

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

// ParseKey reads the public key that an operator named: 64 hex digits, or else a file
// of 32 raw bytes such as the node.pub of a peer. A file named *.key is refused,
// because it is a private key that has no business here.
func ParseKey(fileOrHex string) (trust.Key, error) {
	text := strings.TrimSpace(fileOrHex)
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == len(trust.Key{}) {
		return notZero(trust.Key(raw))
	}
	if filepath.Ext(fileOrHex) == ".key" {
		return trust.Key{}, fmt.Errorf("%s: is a private key by its name: give the peer's node.pub, and keep node.key where it is", fileOrHex)
	}
	key, err := readKey(fileOrHex, "give the peer's node.pub, or its key as 64 hex digits")
	if err != nil {
		return trust.Key{}, fmt.Errorf("key %.80q: neither 64 hex digits nor a key file: %w", fileOrHex, err)
	}
	return key, nil
}

func notZero(key trust.Key) (trust.Key, error) {
	if key.IsZero() {
		return key, fmt.Errorf("key %s: %w: all bytes are zero: give the peer's key", key, ErrBadKey)
	}
	return key, nil
}
