package identity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// ErrInUse is the kind of error of Lock for data that a running node uses.
var ErrInUse = errors.New("data folder is in use")

// InUseError tells which process uses the data; errors.Is knows it as ErrInUse.
type InUseError struct {
	File string // the lock file
	PID  int    // the process that holds it, 0 if it did not say
}

// Error is the place, the fact and the next step.
func (e *InUseError) Error() string {
	holder := "by another node"
	if e.PID != 0 {
		holder = fmt.Sprintf("by process %d", e.PID)
	}
	return fmt.Sprintf("%s: %v %s: stop that node, or give this one a data folder and a name of its own (--data-dir and --name)", e.File, ErrInUse, holder)
}

// Is makes the error test as ErrInUse.
func (e *InUseError) Is(target error) bool { return target == ErrInUse }

// DirLock is a data folder held for one node.
type DirLock struct{ lock *flock.Flock }

// Lock takes dataDir for one node, making it and its run folder where missing. It does
// not wait: if another node holds it, in this process or another, the error is an
// *InUseError. The system releases the lock when the process ends, however it ends.
func Lock(dataDir string) (*DirLock, error) {
	if _, err := safefile.EnsureDir(runDir(dataDir), secretDir); err != nil {
		return nil, err
	}
	path := filepath.Join(runDir(dataDir), "lock")
	lock := flock.New(path, flock.SetPermissions(secretFile), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be locked: use a data folder on a local disk: %w", path, err)
	}
	if !held {
		return nil, &InUseError{File: path, PID: readPID(path)}
	}
	return sign(&DirLock{lock})
}

// sign writes into the lock file who holds it. The file is not replaced, because the
// lock is on this very file.
func sign(l *DirLock) (*DirLock, error) {
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := os.WriteFile(l.lock.Path(), []byte(pid), secretFile); err != nil {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

// readPID is for people only: 0 if the file says nothing of use.
func readPID(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// Release gives the data folder back. It is safe to call twice. The lock file stays:
// removing it would let two nodes hold one folder by two files.
func (l *DirLock) Release() error {
	if err := l.lock.Unlock(); err != nil {
		return fmt.Errorf("%s: unlock: %w", l.lock.Path(), err)
	}
	return nil
}
