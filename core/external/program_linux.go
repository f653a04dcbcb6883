package external

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// program is a copy of a program in memory that cannot be changed once it is sealed.
type program struct{ file *os.File }

func newProgram(name, _ string) (*program, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 there was no MFD_EXEC, and no need
		fd, err = unix.MemfdCreate(name, unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memory for a program: %w", err)
	}
	return &program{file: os.NewFile(uintptr(fd), "memfd:"+name)}, nil
}

// seal makes the copy unchangeable and returns its checksum.
func (p *program) seal() (sum string, err error) {
	if _, err := unix.FcntlInt(p.file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	hash := sha256.New()
	// Reads cost less than to map it: nothing of it stays in the page tables.
	if _, err := io.CopyBuffer(hash, io.NewSectionReader(p.file, 0, maxProgram), make([]byte, 256<<10)); err != nil {
		return "", fmt.Errorf("read back: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// path is what to execute in a child that has inherited the file under a number.
func (p *program) path(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func (p *program) close() { _ = p.file.Close() }
