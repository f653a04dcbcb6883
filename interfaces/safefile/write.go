package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes data the content of the file at path, with exactly the permission bits
// of mode. An existing file is replaced as a whole and takes the new mode; a symbolic
// link is replaced, not followed. The folder must exist.
//
// After nil the new content survives a crash. After an error the file holds what it
// held before, or the new content if it was only the folder that could not be synced.
func Write(path string, data []byte, mode fs.FileMode) error {
	return system().write(path, data, mode)
}

// Note is Write for what nobody misses: nothing is synced, which spares the disk. Readers
// see the old file or the new one; a crash may leave the new one empty.
func Note(path string, data []byte, mode fs.FileMode) error {
	d := system()
	d.syncDir = func(string) error { return nil }
	d.create = func(path string) (handle, error) {
		f, err := createTemp(path)
		return unhurried{f}, err
	}
	return d.write(path, data, mode)
}

// unhurried is a file that is on disk some time.
type unhurried struct{ handle }

// Sync does nothing.
func (unhurried) Sync() error { return nil }

// Create is Write for a file that must not exist yet: if it does, the error wraps
// fs.ErrExist and the file is untouched. Of several that create one path at the same
// time, also in different processes, exactly one succeeds. The file system must know
// hard links.
func Create(path string, data []byte, mode fs.FileMode) error {
	return system().exclusive(path, data, mode)
}

// Remove removes the file at path for good: after nil it does not come back after a
// crash. If there is none the error wraps fs.ErrNotExist.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		return at(path, err)
	}
	return SyncDir(filepath.Dir(path))
}

func (d disk) write(path string, data []byte, mode fs.FileMode) error {
	temp, err := d.stage(path, data, mode)
	if err != nil {
		return err
	}
	if err := d.rename(temp, path); err != nil {
		return d.discard(temp, at(path, err))
	}
	return at(path, d.syncDir(filepath.Dir(path)))
}

func (d disk) exclusive(path string, data []byte, mode fs.FileMode) error {
	temp, err := d.stage(path, data, mode)
	if err != nil {
		return err
	}
	if err := d.link(temp, path); err != nil {
		return d.discard(temp, at(path, err))
	}
	err = d.remove(temp)
	if err == nil {
		err = d.syncDir(filepath.Dir(path))
	}
	if err != nil {
		return d.discard(path, at(path, err))
	}
	return nil
}

// stage writes data to a temporary file beside path and syncs it.
func (d disk) stage(path string, data []byte, mode fs.FileMode) (string, error) {
	if mode&^fs.ModePerm != 0 {
		return "", fmt.Errorf("%s: mode %v: give permission bits only", path, mode)
	}
	temp := filepath.Join(filepath.Dir(path), tempName())
	f, err := d.create(temp)
	if err != nil {
		return "", at(path, err)
	}
	if err := fill(f, data, mode); err != nil {
		return "", d.discard(temp, at(path, err))
	}
	return temp, nil
}

func fill(f handle, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// discard removes what a failure leaves behind, and adds to the reason if it cannot.
func (d disk) discard(path string, reason error) error {
	if err := d.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; and %s stays behind: %w", reason, path, cause(err))
	}
	return reason
}

// at puts the path that the caller knows in front, instead of that of a temporary file.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, cause(err))
}

// cause strips the paths that os puts into its errors and keeps the operation.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
