package external

import (
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

func (p *program) seal() error {
	_, err := unix.FcntlInt(p.file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	return err
}

// path is what to execute in a child that has inherited the file under a number.
func (p *program) path(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func (p *program) close() { _ = p.file.Close() }
