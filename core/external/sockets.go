package external

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// maxSocketPath is what an address of a Unix socket has room for, in bytes.
	maxSocketPath = 103
	// socketName is what go-plugin adds: a directory and a file, each with a number.
	socketName = "/plugin-dir4294967295/plugin4294967295"
)

// privateDir makes a directory that only this user can enter, for the socket of one
// plugin. wanted comes first if there is a name there; then a folder of the node, whose
// leftovers are swept; then that of temporary files, and /tmp.
func privateDir(wanted, dataDir, id string) (string, error) {
	if wanted != "" {
		if err := fitsSocket(wanted); err != nil {
			return "", err
		}
		return os.MkdirTemp(wanted, "")
	}
	if own := filepath.Join(dataDir, "run", "plugins", id); dataDir != "" && fitsSocket(own) == nil {
		return own, fresh(own)
	}
	var err error
	for _, dir := range []string{os.TempDir(), "/tmp"} {
		if err = fitsSocket(filepath.Join(dir, "barrel4294967295")); err == nil {
			return os.MkdirTemp(dir, "barrel")
		}
	}
	return "", err
}

func fitsSocket(dir string) error {
	if n := len(dir) + len(socketName); n > maxSocketPath {
		return fmt.Errorf("%w: %s leads to paths of %d bytes, at most %d: set TMPDIR or node.data_dir to something shorter", ErrSocketPath, dir, n, maxSocketPath)
	}
	return nil
}

// fresh empties a directory that is of this node alone: the sockets in it are those of
// processes that ended without tidying up.
func fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
