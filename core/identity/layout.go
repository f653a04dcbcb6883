package identity

import (
	"io/fs"
	"path/filepath"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

const (
	secretDir  fs.FileMode = 0o700
	secretFile fs.FileMode = 0o600
)

// layout names what is in the keys folder.
type layout struct{ dir string }

func layoutOf(dataDir string) layout { return layout{filepath.Join(dataDir, "keys")} }

func (l layout) private() string { return filepath.Join(l.dir, "node.key") }
func (l layout) public() string  { return filepath.Join(l.dir, "node.pub") }
func (l layout) backups() string { return filepath.Join(l.dir, "backups") }
func (l layout) trusted() string { return filepath.Join(l.dir, "trusted") }

func runDir(dataDir string) string { return filepath.Join(dataDir, "run") }

// disk is how this package changes the disk, one step each, so that a test can let the
// power fail at any of them.
type disk struct {
	write  func(path string, data []byte, mode fs.FileMode) error // replaces
	create func(path string, data []byte, mode fs.FileMode) error // refuses what exists
	remove func(path string) error
	mkdir  func(path string) error // refuses what exists
}

func system() disk {
	return disk{write: safefile.Write, create: safefile.Create, remove: safefile.Remove, mkdir: makeDir}
}
