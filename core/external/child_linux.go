package external

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup puts a process into a group of its own, so that signals of the terminal do
// not reach it and all its children can be ended together. Where nothing can watch over
// the lifeline, the death signal has to do, although it ends only the process itself and
// a sandbox has none.
func ownGroup() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if _, err := os.Stat(shell); err != nil {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}

// bury waits for a process and ends what is left of its group, and the watcher. They are
// killed before the process is reaped, so that nobody else can have its number by then.
func bury(cmd *exec.Cmd, w watcher) error {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	killGroup(cmd.Process.Pid)
	w.end()
	return cmd.Wait()
}
