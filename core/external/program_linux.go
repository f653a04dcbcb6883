package external

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	info, err := p.file.Stat()
	if err != nil || info.Size() == 0 {
		return hashed(nil), err
	}
	mapped, err := unix.Mmap(int(p.file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return "", fmt.Errorf("map: %w", err)
	}
	return hashed(mapped), unix.Munmap(mapped)
}

func hashed(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// path is what to execute in a child that has inherited the file under a number.
func (p *program) path(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func (p *program) close() { _ = p.file.Close() }
