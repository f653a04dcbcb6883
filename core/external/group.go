package external

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// killAll ends a process, wherever it has gone, and all that is in the group which it was
// given.
func killAll(p *os.Process) {
	killGroup(p.Pid)
	_ = p.Kill()
}

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// shell is what watchers are made of.
const shell = "/bin/sh"

// watcher is a process beside a plugin that kills it and its group when the lifeline
// ends. It does what the plugin should do itself and may not: because it is stopped,
// stuck, or written in a language without an SDK. It is no child of the plugin and
// knows nothing of it.
type watcher struct{ cmd *exec.Cmd }

// startWatcher starts one, in a group of its own, which the plugin cannot end by ending
// or leaving its own. Where there is no shell there is none.
func startWatcher(pid int, lifeline *os.File) watcher {
	cmd := &exec.Cmd{
		Path: shell, Args: []string{"barrel-plugin-watcher", "-c", "read line; kill -9 -$1; kill -9 $1", "watcher", strconv.Itoa(pid)}, Env: []string{},
		Stdin: lifeline, SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if cmd.Start() != nil {
		return watcher{}
	}
	return watcher{cmd}
}

// end ends the watcher, before the number that it has in mind can be somebody else's.
func (w watcher) end() {
	if w.cmd != nil {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
	}
}
