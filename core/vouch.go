package core

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// purposed signs with the node's key of the moment, for one purpose.
type purposed struct {
	self    *self
	purpose trust.Purpose
}

// Public is the key of the moment.
func (p purposed) Public() trust.Key { return p.self.keys.Public() }

// Sign signs for the purpose.
func (p purposed) Sign(message []byte) [64]byte {
	return p.self.keys.Sign(trust.Signed(p.purpose, message))
}

// origin is a number of this node that no other has.
func (s *self) origin(node name.Node) uint64 {
	if s.keys == nil {
		return 0 // nothing is open: this node will not broadcast
	}
	key := s.keys.Public()
	sum := sha256.Sum256(append([]byte(node.String()), key[:]...))
	return binary.BigEndian.Uint64(sum[:])
}

// vet says whether hearsay that key is node may be believed: never against a pin, and
// for the rest as the trust plugin says, if it has a word on hearsay. Nothing is linked
// without its Decide in any case.
func (l *life) vet(node name.Node, key trust.Key) error {
	if !l.node.cfg.Auth.Enabled {
		return nil // nobody proves a key here
	}
	pin, pinned, err := l.self.lentPins().Lookup(node)
	switch {
	case err != nil:
		return fmt.Errorf("%s: the pins cannot be read: %w", node, err)
	case pinned && pin.Key != key:
		return fmt.Errorf("%s: pinned %.16s..., and not %.16s...: %w", node, pin.Key.Fingerprint(), key.Fingerprint(), trust.ErrKeyMismatch)
	case pinned:
		return nil
	}
	return l.trust.Vet(trust.Claim{Node: node, Key: key, Cluster: l.node.cfg.Node.Cluster})
}
