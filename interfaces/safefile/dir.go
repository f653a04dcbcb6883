package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Loose says that a file or folder may be used by more people than it should.
type Loose struct {
	Path string
	Mode fs.FileMode // the permission bits it has
	Want fs.FileMode // the most it should have
}

// String is the fact and the command that mends it.
func (l Loose) String() string {
	return fmt.Sprintf("%s: mode %04o, want %04o: run \"chmod %04o %s\"", l.Path, l.Mode, l.Want, l.Want, l.Path)
}

// EnsureDir makes the folder at path and its parents, those that are missing, with
// the permission bits of mode. A folder that is there already is left as it is: if its
// mode allows more than mode does, the answer says so, for the caller to warn about
// or to refuse; nil means that all is well.
func EnsureDir(path string, mode fs.FileMode) (*Loose, error) {
	if err := makeDirs(filepath.Clean(path), mode); err != nil {
		return nil, err
	}
	return Check(path, mode)
}

// Check tells whether the file or folder at path allows more than mode does; nil means
// that it does not.
func Check(path string, mode fs.FileMode) (*Loose, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, at(path, err)
	}
	if perm := info.Mode().Perm(); perm&^mode != 0 {
		return &Loose{Path: path, Mode: perm, Want: mode}, nil
	}
	return nil, nil
}

func makeDirs(path string, mode fs.FileMode) error {
	err := os.Mkdir(path, mode)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeDirs(filepath.Dir(path), mode); err != nil {
			return err
		}
		err = os.Mkdir(path, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return mustBeDir(path)
	}
	if err != nil {
		return at(path, err)
	}
	return SyncDir(filepath.Dir(path))
}

func mustBeDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return at(path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: is a file, not a folder: move it away", path)
	}
	return nil
}
