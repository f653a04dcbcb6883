package sdk

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// holdLifeline ends this process, and all that it has started, when the host ends. The
// host holds the other end of a pipe into which nobody writes; however it ends, the
// system closes that.
func holdLifeline(number string) error {
	if number == "" {
		return nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil || fd <= syscall.Stderr {
		return fmt.Errorf("%s %q: no number of an inherited file", LifelineVariable, number)
	}
	syscall.CloseOnExec(fd)
	line := os.NewFile(uintptr(fd), LifelineVariable)
	go func() {
		_, _ = io.Copy(io.Discard, line)
		if syscall.Getpgrp() == os.Getpid() { // else the group is that of somebody else
			_ = syscall.Kill(0, syscall.SIGKILL)
		}
		os.Exit(1)
	}()
	return nil
}
