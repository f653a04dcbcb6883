package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// Rotation is what Rotate did.
type Rotation struct {
	Backup string `json:"backup_dir"`      // the folder that holds the old pair
	Old    string `json:"old_fingerprint"` // hex
	New    string `json:"new_fingerprint"` // hex
}

// Rotate replaces the key pair by a new one and keeps the old one in a folder of its
// own below keys/backups. From its return on every handshake uses the new key; links
// that are up stay up. Peers that pinned the old key refuse the new one until their
// operators pin it.
//
// A crash at any point leaves the old pair or the new one, or a private key whose
// public half the next Open derives, and the old private key is never without a file
// that holds it. After an error the pair in force is the one on disk: the old one,
// unless the disk did not even let it be put back. The caller holds the Lock.
func (id *Identity) Rotate() (Rotation, error) {
	id.rotating.Lock()
	defer id.rotating.Unlock()
	old, fresh := id.Signer(), newSigner()
	backup, err := id.backUp(old)
	if err != nil {
		return Rotation{}, err
	}
	if err := id.replace(fresh); err != nil {
		return Rotation{}, id.putBack(old, backup, err)
	}
	id.inForce.Store(&fresh)
	return Rotation{Backup: backup, Old: old.Fingerprint(), New: fresh.Fingerprint()}, nil
}

// replace removes the public key first: whatever the private key file holds then, old
// or new, it is a pair that lost its public half, which Open repairs. With the public
// key in place a crash would leave two halves that do not match.
func (id *Identity) replace(fresh Signer) error {
	if err := id.disk.remove(id.keys.public()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := id.disk.write(id.keys.private(), fresh.seed(), secretFile); err != nil {
		return err
	}
	return id.writePublic(fresh)
}

// putBack undoes a replacement that failed half way, in the same order, and takes
// into force what the disk holds after that.
func (id *Identity) putBack(old Signer, backup string, reason error) error {
	if err := id.replace(old); err != nil {
		reason = fmt.Errorf("%w; putting the old key back: %w", reason, err)
	}
	now, _, err := load(id.keys)
	if err != nil {
		return fmt.Errorf("%w; the old key stays in use until this node stops, and is kept in %s: %w", reason, backup, err)
	}
	id.inForce.Store(&now)
	return fmt.Errorf("%w; key %s is in use, the old one is kept in %s", reason, now.Fingerprint(), backup)
}

func (id *Identity) backUp(old Signer) (string, error) {
	dir, err := id.backupDir()
	if err != nil {
		return "", err
	}
	if err := id.disk.write(filepath.Join(dir, "node.key"), old.seed(), secretFile); err != nil {
		return "", err
	}
	public := old.Public()
	return dir, id.disk.write(filepath.Join(dir, "node.pub"), public[:], secretFile)
}

// backupTries is how many names are tried for a backup folder; it takes rotations in
// the same nanosecond, or a clock that stands still, to need a second.
const backupTries = 100

// backupDir makes a new folder below backups, named by the time in UTC.
func (id *Identity) backupDir() (string, error) {
	if _, err := safefile.EnsureDir(id.keys.backups(), secretDir); err != nil {
		return "", err
	}
	stamp := id.now().UTC().Format("20060102T150405.000000000Z")
	for n := range backupTries {
		dir := filepath.Join(id.keys.backups(), stamp)
		if n > 0 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		if err := id.disk.mkdir(dir); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
	return "", fmt.Errorf("%s: %d backups of the time %s: set the clock", id.keys.backups(), backupTries, stamp)
}

// makeDir makes a folder that must not exist yet, for good.
func makeDir(path string) error {
	if err := os.Mkdir(path, secretDir); err != nil {
		return err
	}
	return safefile.SyncDir(filepath.Dir(path))
}
