package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sweep removes the temporary files that crashed writers left in dir and that were
// last written before the given time, and returns how many there were. Give a time at
// which no writer that still lives had begun: an hour ago, or now if the caller is the
// only one who writes to dir. A dir that does not exist has none.
func Sweep(dir string, before time.Time) (removed int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, at(dir, err)
	}
	for _, entry := range entries {
		if !stale(entry, before) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, at(path, err)
		}
		removed++
	}
	return removed, nil
}

// stale also answers no for a file that vanished meanwhile: its writer lives.
func stale(entry fs.DirEntry, before time.Time) bool {
	if !isTemp(entry.Name()) || !entry.Type().IsRegular() {
		return false
	}
	info, err := entry.Info()
	return err == nil && info.ModTime().Before(before)
}
