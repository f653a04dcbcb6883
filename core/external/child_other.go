//go:build unix && !linux

package external

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a process into a group of its own, so that signals of the terminal do
// not reach it and all its children can be ended together.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// bury waits for a process and ends what is left of its group, and the watcher.
func bury(cmd *exec.Cmd, w watcher) error {
	err := cmd.Wait()
	killGroup(cmd.Process.Pid)
	w.end()
	return err
}
