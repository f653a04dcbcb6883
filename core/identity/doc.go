// Package identity is what a node knows about itself and others on disk: its own
// long-lived Ed25519 key, the pins of its peers, the count of its lives, and the lock
// that keeps a second node away from the same data.
//
//	data/
//	  keys/  0700   node.key 0600   the private key: a raw 32-byte Ed25519 seed
//	                node.pub 0600   the public key, 32 raw bytes; derived again if lost
//	                trusted/        one pin for each peer: <node>.pub, 32 raw bytes
//	                trusted/.meta/  when and by whom it was pinned, where that is known
//	                backups/        the key pairs that rotations replaced
//	  run/   0700   lock            held by the running node, names its process
//	                incarnation     the number of this life, larger at each start
//
// It is not the handshake, which proves keys (core/machine/handshake), and not trust,
// which judges them (plugins/trust-*): it keeps what those two use. The certificate of
// the transport is the transport's own.
//
// Everything is written by the rule of interfaces/safefile: a crash at any point leaves
// the old file or the new one. What is missing is made, what can be derived is derived,
// and what is contradictory is refused with the next step; nothing that is there is
// replaced silently. Private keys are never printed, logged or returned.
//
// The order at the start of a node:
//
//	lock, err := identity.Lock(dataDir)             // nobody else uses it
//	defer lock.Release()
//	id, err := identity.Open(dataDir)               // who am I
//	life, err := identity.Incarnation(dataDir)      // which life of mine is this
//	pins, err := identity.OpenPins(dataDir)         // whom do I know
package identity
