//go:build unix

package discoveryfile

import (
	"io/fs"
	"syscall"
)

// inode is the number of a file, which another file in its place does not have.
func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
