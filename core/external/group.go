package external

import (
	"os"
	"os/exec"
	"syscall"
)

// killGroup ends a process and all of its group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// shell is what watchers are made of.
const shell = "/bin/sh"

// watcher is a process in the group of a plugin that kills this group when the lifeline
// ends. It does what the plugin should do itself and may not: because it is stopped,
// stuck, or written in a language without an SDK. It is no child of the plugin and
// knows nothing of it.
type watcher struct{ cmd *exec.Cmd }

// startWatcher starts one. Where there is no shell, or where the plugin has ended
// already, there is none.
func startWatcher(group int, lifeline *os.File) watcher {
	cmd := &exec.Cmd{
		Path: shell, Args: []string{"barrel-plugin-watcher", "-c", "read line; kill -9 0"}, Env: []string{},
		Stdin: lifeline, SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pgid: group},
	}
	if cmd.Start() != nil {
		return watcher{}
	}
	return watcher{cmd}
}

// wait buries the watcher, which was killed with its group.
func (w watcher) wait() {
	if w.cmd != nil {
		_ = w.cmd.Wait()
	}
}
