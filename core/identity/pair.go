package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/barrelp2p/barrel/interfaces/safefile"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// load reads the key pair; whole tells that the public key is on disk too.
func load(keys layout) (signer Signer, whole bool, err error) {
	seed, err := readPrivate(keys)
	if err != nil {
		return Signer{}, false, err
	}
	signer = signerOf(seed)
	public, err := readKey(keys.public(), "remove it: it is derived again from node.key")
	if errors.Is(err, fs.ErrNotExist) {
		return signer, false, nil
	}
	if err != nil {
		return Signer{}, false, err
	}
	if public != signer.Public() {
		return Signer{}, false, fmt.Errorf("%s: %w: it is not the public half of node.key: restore both files from one of keys/backups, or remove node.pub if node.key is the right one",
			keys.public(), ErrPairMismatch)
	}
	return signer, true, nil
}

func readPrivate(keys layout) (trust.Key, error) {
	loose, err := safefile.Check(keys.private(), secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		return trust.Key{}, noPrivate(keys)
	}
	if err != nil {
		return trust.Key{}, err
	}
	if loose != nil {
		return trust.Key{}, fmt.Errorf("%w: %s; if others may have read it, run \"barrel keys rotate identity\" as well", ErrTooOpen, loose)
	}
	return readKey(keys.private(), "restore it from a backup, such as keys/backups")
}

// noPrivate tells a fresh folder from one that lost its private key.
func noPrivate(keys layout) error {
	_, err := safefile.Check(keys.public(), secretFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: start the node once", keys.private(), ErrNoIdentity)
	case err != nil:
		return err
	}
	return fmt.Errorf("%s: %w while node.pub is there: restore node.key from a backup, such as keys/backups; or remove node.pub to become a new node, which every peer must pin anew",
		keys.private(), ErrPrivateLost)
}

// readKey reads a file of exactly 32 raw bytes, not all of them zero. remedy is the
// next step if it is not that.
func readKey(path, remedy string) (key trust.Key, err error) {
	data, err := safefile.Read(path, len(key))
	switch {
	case errors.Is(err, safefile.ErrTooLarge):
		return key, fmt.Errorf("%s: %w: more than %d bytes: %s", path, ErrBadKey, len(key), remedy)
	case err != nil:
		return key, err
	case len(data) != len(key):
		return key, fmt.Errorf("%s: %w: %d bytes, want %d: %s", path, ErrBadKey, len(data), len(key), remedy)
	}
	key = trust.Key(data)
	if key.IsZero() {
		return key, fmt.Errorf("%s: %w: all bytes are zero: %s", path, ErrBadKey, remedy)
	}
	return key, nil
}

// create makes the first key pair: the private key first, because the public key
// without it would look like a loss.
func (id *Identity) create() (Signer, error) {
	signer := newSigner()
	return signer, id.disk.create(id.keys.private(), signer.seed(), secretFile)
}

func newSigner() Signer {
	var seed trust.Key
	rand.Read(seed[:]) // never fails: the program ends first
	return signerOf(seed)
}

func (id *Identity) writePublic(signer Signer) error {
	public := signer.Public()
	return id.disk.write(id.keys.public(), public[:], secretFile)
}
