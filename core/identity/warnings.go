package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// Warnings lists what below dataDir is open to more people than its owner: the folders
// of secrets and the private keys, the one in use and those in backups. Nothing is
// tightened: each says the command that does it. Of these an open keys/node.key makes
// Open refuse; the rest is for a host to warn about at every start.
func Warnings(dataDir string) ([]safefile.Loose, error) {
	keys := layoutOf(dataDir)
	found, err := checkAll(secretDir, runDir(dataDir), keys.dir, keys.trusted(), keys.backups())
	if err != nil {
		return nil, err
	}
	old, err := oldPrivates(keys)
	if err != nil {
		return nil, err
	}
	secrets, err := checkAll(secretFile, append(old, keys.private())...)
	return append(found, secrets...), err
}

// checkAll skips what does not exist.
func checkAll(mode fs.FileMode, paths ...string) ([]safefile.Loose, error) {
	var found []safefile.Loose
	for _, path := range paths {
		loose, err := safefile.Check(path, mode)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if loose != nil {
			found = append(found, *loose)
		}
	}
	return found, nil
}

func oldPrivates(keys layout) ([]string, error) {
	paths, err := backupDirs(keys)
	for i, dir := range paths {
		paths[i] = filepath.Join(dir, "node.key")
	}
	return paths, err
}

// backupDirs lists the folders that rotations made; none if there was no rotation.
func backupDirs(keys layout) ([]string, error) {
	entries, err := os.ReadDir(keys.backups())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dirs := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(keys.backups(), entry.Name()))
		}
	}
	return dirs, nil
}
