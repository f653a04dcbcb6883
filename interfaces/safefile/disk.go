package safefile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// disk is what the write rule asks of the operating system, one step each, so that a
// test can let the power fail at any of them.
type disk struct {
	create  func(path string) (handle, error) // fresh, mode 0600
	rename  func(from, to string) error
	link    func(from, to string) error
	remove  func(path string) error
	syncDir func(dir string) error
}

type handle interface {
	io.WriteCloser
	Chmod(mode fs.FileMode) error
	Sync() error
}

func system() disk {
	return disk{create: createTemp, rename: os.Rename, link: os.Link, remove: os.Remove, syncDir: SyncDir}
}

func createTemp(path string) (handle, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// SyncDir makes the names in a folder survive a crash: those of files that were
// created, renamed or removed in it, and of folders made in it. File systems that
// cannot sync a folder are taken to need no sync.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return at(dir, err)
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return at(dir, err)
}

const (
	tempPrefix = ".safefile-"
	tempSuffix = ".tmp"
	tempRandom = 26 // what rand.Text returns: 130 random bits
)

// tempName does not contain the name of the target, which may be as long as a name
// can be.
func tempName() string { return tempPrefix + rand.Text() + tempSuffix }

func isTemp(name string) bool {
	return len(name) == len(tempPrefix)+tempRandom+len(tempSuffix) &&
		strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}
