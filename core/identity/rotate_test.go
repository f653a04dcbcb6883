package identity

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRotate(t *testing.T) {
	dataDir := t.TempDir()
	id := mustOpen(t, dataDir)
	old, oldSeed := id.Signer(), readFile(t, id.keys.private())
	rotation, err := id.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if rotation.Old != old.Fingerprint() || rotation.New != id.Fingerprint() || rotation.New == rotation.Old {
		t.Errorf("%+v", rotation)
	}
	public, signature := id.Public(), id.Sign([]byte("m"))
	if !ed25519.Verify(public[:], []byte("m"), signature[:]) {
		t.Error("does not sign with the new key")
	}
	if again := mustOpen(t, dataDir); again.Public() != id.Public() {
		t.Error("the disk holds another key than the one in force")
	}
	expectMode(t, rotation.Backup, fs.ModeDir|0o700)
	expectMode(t, filepath.Join(rotation.Backup, "node.key"), 0o600)
	oldPublic := old.Public()
	if !bytes.Equal(readFile(t, filepath.Join(rotation.Backup, "node.key")), oldSeed) ||
		!bytes.Equal(readFile(t, filepath.Join(rotation.Backup, "node.pub")), oldPublic[:]) {
		t.Error("the backup is not the old pair")
	}
}

func TestRollbackIsCopyingTheBackup(t *testing.T) {
	dataDir := t.TempDir()
	id := mustOpen(t, dataDir)
	rotation, err := id.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"node.key", "node.pub"} {
		overwrite(t, id.keys.dir, file, readFile(t, filepath.Join(rotation.Backup, file)), 0o600)
	}
	if again := mustOpen(t, dataDir); again.Fingerprint() != rotation.Old {
		t.Error("not the old node")
	}
}

func TestBackupsOfOneMomentDoNotCollide(t *testing.T) {
	id := mustOpen(t, t.TempDir())
	id.now = func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600)) }
	seen := map[string]bool{}
	for range 3 {
		rotation, err := id.Rotate()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(filepath.Base(rotation.Backup), "20260304T040607.000000008Z") || seen[rotation.Backup] {
			t.Errorf("backup in %s", rotation.Backup)
		}
		seen[rotation.Backup] = true
	}
}

// A crash in the middle of a backup leaves the old private key in a temporary file.
func TestOpenSweepsBackups(t *testing.T) {
	dataDir := t.TempDir()
	rotation, err := mustOpen(t, dataDir).Rotate()
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(rotation.Backup, ".safefile-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp")
	if err := os.WriteFile(left, bytes.Repeat([]byte{1}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Second)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dataDir)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	if len(readFile(t, filepath.Join(rotation.Backup, "node.key"))) != 32 {
		t.Error("the backup is gone")
	}
}

func TestSigningGoesOnDuringRotation(t *testing.T) {
	id := mustOpen(t, t.TempDir())
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				signer := id.Signer()
				public, signature := signer.Public(), signer.Sign([]byte("m"))
				if !ed25519.Verify(public[:], []byte("m"), signature[:]) {
					t.Error("key and signature of different pairs")
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 5 {
		if _, err := id.Rotate(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	all.Wait()
}

var errPower = errors.New("power is gone")

// fuse blows at one step: before the step is done, or after it was done and before it
// was reported. A power cut fails every later step as well, an accident only this one.
type fuse struct {
	at       int
	after    bool
	accident bool
	used     int
}

func (f *fuse) step(act func() error) error {
	f.used++
	switch {
	case f.used == f.at && f.after:
		_ = act()
		return errPower
	case f.used == f.at, f.used > f.at && !f.accident:
		return errPower
	}
	return act()
}

func (f *fuse) disk() disk {
	machine := system()
	return disk{
		write: func(p string, d []byte, m fs.FileMode) error {
			return f.step(func() error { return machine.write(p, d, m) })
		},
		create: func(p string, d []byte, m fs.FileMode) error {
			return f.step(func() error { return machine.create(p, d, m) })
		},
		remove: func(p string) error { return f.step(func() error { return machine.remove(p) }) },
		mkdir:  func(p string) error { return f.step(func() error { return machine.mkdir(p) }) },
	}
}

// everyFuse runs a check with a fuse for each step, and fails if they were not enough.
func everyFuse(t *testing.T, accident bool, check func(t *testing.T, f *fuse) error) {
	t.Helper()
	for _, after := range []bool{false, true} {
		done := false
		for at := 1; at < 20 && !done; at++ {
			f := &fuse{at: at, after: after, accident: accident}
			err := check(t, f)
			done = f.used < at
			if blown := err != nil; blown == done {
				t.Errorf("step %d, after=%v: error %v", at, after, err)
			}
		}
		if !done {
			t.Error("more steps than fuses")
		}
	}
}

func TestFirstOpenSurvivesPowerCutAnywhere(t *testing.T) {
	everyFuse(t, false, func(t *testing.T, f *fuse) error {
		dataDir := t.TempDir()
		_, err := open(dataDir, f.disk())
		id := mustOpen(t, dataDir)
		if again := mustOpen(t, dataDir); again.Public() != id.Public() {
			t.Errorf("step %d: not the same node twice", f.at)
		}
		return err
	})
}

func TestRotationSurvivesPowerCutAnywhere(t *testing.T) {
	everyFuse(t, false, func(t *testing.T, f *fuse) error {
		dataDir := t.TempDir()
		id := mustOpen(t, dataDir)
		old, oldSeed := id.Public(), readFile(t, id.keys.private())
		id.disk = f.disk()
		_, err := id.Rotate()
		expectOldKeyKept(t, id, oldSeed)
		again := mustOpen(t, dataDir)
		if again.Created() {
			t.Errorf("step %d: became somebody new", f.at)
		}
		if again.Public() != old && again.Public() != mustOpen(t, dataDir).Public() {
			t.Errorf("step %d: not the same node twice", f.at)
		}
		if key := again.Public(); !bytes.Equal(readFile(t, id.keys.public()), key[:]) {
			t.Errorf("step %d: node.pub was not repaired", f.at)
		}
		return err
	})
}

func TestRotationThatFailsKeepsTheOldKey(t *testing.T) {
	everyFuse(t, true, func(t *testing.T, f *fuse) error {
		dataDir := t.TempDir()
		id := mustOpen(t, dataDir)
		old := id.Public()
		id.disk = f.disk()
		_, err := id.Rotate()
		if err != nil && id.Public() != old {
			t.Errorf("step %d: error %v, and another key in force", f.at, err)
		}
		if again := mustOpen(t, dataDir); again.Public() != id.Public() {
			t.Errorf("step %d: the disk holds another key than the one in force", f.at)
		}
		return err
	})
}

func TestKeyInForceIsTheOneOnDiskEvenIfNothingCanBePutBack(t *testing.T) {
	everyFuse(t, false, func(t *testing.T, f *fuse) error {
		id := mustOpen(t, t.TempDir())
		id.disk = f.disk()
		_, err := id.Rotate()
		if onDisk, _, loadErr := load(id.keys); loadErr != nil || onDisk.Public() != id.Public() {
			t.Errorf("step %d: in force %v, on disk %v, %v", f.at, id, onDisk, loadErr)
		}
		return err
	})
}

// expectOldKeyKept looks for the old private key in the keys folder and the backups.
func expectOldKeyKept(t *testing.T, id *Identity, seed []byte) {
	t.Helper()
	places, err := filepath.Glob(filepath.Join(id.keys.backups(), "*", "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range append(places, id.keys.private()) {
		if data, err := os.ReadFile(place); err == nil && bytes.Equal(data, seed) {
			return
		}
	}
	t.Error("the old private key is lost")
}
