package identity

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Why the keys of a node are refused; test with errors.Is. The text that wraps them
// names the file and the next step.
var (
	// ErrNoIdentity: there are no keys yet. Open makes them; Load says so.
	ErrNoIdentity = errors.New("no identity")
	// ErrPrivateLost: the public key is there and the private key is not.
	ErrPrivateLost = errors.New("private key lost")
	// ErrPairMismatch: the public key is not that of the private key.
	ErrPairMismatch = errors.New("keys do not match")
	// ErrBadKey: a key is not 32 bytes long, or is all zeroes.
	ErrBadKey = errors.New("not a key")
	// ErrTooOpen: others can read the private key.
	ErrTooOpen = errors.New("private key is open to others")
)

// Identity is the node's own key pair, in force and on disk. It is safe for concurrent
// use, prints as its fingerprint, and holds nothing that must be closed.
type Identity struct {
	keys     layout
	disk     disk
	now      func() time.Time
	created  bool
	inForce  atomic.Pointer[Signer]
	rotating sync.Mutex
}

// Open loads the key pair below dataDir, or makes one if there is none. A lost public
// key is derived again; anything else that is amiss is refused: see the errors of this
// package. The caller holds the Lock of dataDir: Open finishes what a crash
// interrupted.
func Open(dataDir string) (*Identity, error) { return open(dataDir, system()) }

// Load returns the key pair below dataDir and changes nothing on disk; for programs
// that look at a data folder which they have not locked. Without keys the error is
// ErrNoIdentity.
func Load(dataDir string) (Signer, error) {
	signer, _, err := load(layoutOf(dataDir))
	return signer, err
}

func open(dataDir string, d disk) (*Identity, error) {
	id := &Identity{keys: layoutOf(dataDir), disk: d, now: time.Now}
	if _, err := safefile.EnsureDir(id.keys.dir, secretDir); err != nil {
		return nil, err
	}
	if err := id.sweep(); err != nil {
		return nil, err
	}
	if err := id.loadOrCreate(); err != nil {
		return nil, err
	}
	return id, nil
}

// sweep removes what crashed writers left: in a backup folder that is an old private
// key under a name that nobody would look for.
func (id *Identity) sweep() error {
	backups, err := backupDirs(id.keys)
	if err != nil {
		return err
	}
	for _, dir := range append(backups, id.keys.dir) {
		if _, err := safefile.Sweep(dir, id.now()); err != nil {
			return err
		}
	}
	return nil
}

func (id *Identity) loadOrCreate() error {
	signer, whole, err := load(id.keys)
	if errors.Is(err, ErrNoIdentity) {
		id.created = true
		signer, err = id.create()
	}
	if err != nil {
		return err
	}
	id.inForce.Store(&signer)
	if whole {
		return nil
	}
	return id.writePublic(signer)
}

// Created reports whether Open made the key pair, so that a host can say that this
// node is somebody new.
func (id *Identity) Created() bool { return id.created }

// Signer is the key pair in force. A handshake takes it once and uses it throughout,
// so that a rotation in the middle changes nothing for it.
func (id *Identity) Signer() Signer { return *id.inForce.Load() }

// Public is the public key in force.
func (id *Identity) Public() trust.Key { return id.Signer().Public() }

// Fingerprint is the fingerprint of the public key in force.
func (id *Identity) Fingerprint() string { return id.Signer().Fingerprint() }

// Sign signs with the private key in force (Ed25519, RFC 8032).
func (id *Identity) Sign(message []byte) [64]byte { return id.Signer().Sign(message) }

// Format keeps the private key out of every print.
func (id *Identity) Format(f fmt.State, verb rune) { id.Signer().Format(f, verb) }

// LogValue keeps the private key out of every log.
func (id *Identity) LogValue() slog.Value { return id.Signer().LogValue() }
