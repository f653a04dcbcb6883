package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/barrelp2p/barrel/core/identity"
)

// TestScripts runs the program as users do: real processes, in testdata/script.
func TestScripts(t *testing.T) {
	path := scriptPath(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       false,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// The race detector sleeps for a second at the exit of each process otherwise.
			env.Setenv("GORACE", "atexit_sleep_ms=20")
			env.Setenv("PATH", path+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"endplugin": endPlugin,
			"exits":     exits,
			"hangup":    hangup,
			"mode":      mode,
			"released":  released,
			"size":      fileSize,
		},
	})
}

// exits STATUS COMMAND... runs a command that must end with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exited *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exited) {
		got = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// hangup LOCK sends SIGHUP to the node whose lock file that is.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hangup LOCK")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGHUP))
}

// released PATTERN waits until the nodes of some data folders have ended, which is when
// the system takes their locks away. A process that nobody buries still has its id.
func released(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: released PATTERN")
	}
	locks, err := filepath.Glob(filepath.Join(args[0], "run", "lock"))
	ts.Check(err)
	if len(locks) == 0 {
		ts.Fatalf("%s: no data folders", args[0])
	}
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, path := range locks {
		dataDir := filepath.Dir(filepath.Dir(path))
		lock, err := identity.Lock(dataDir)
		for errors.Is(err, identity.ErrInUse) && time.Now().Before(deadline) {
			<-tick.C
			lock, err = identity.Lock(dataDir)
		}
		ts.Check(err)
		ts.Check(lock.Release())
	}
}

// mode PATH MODE checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PATH MODE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s: mode %s, want %s", args[0], got, args[1])
	}
}

// size PATH N checks the size of a file in bytes.
func fileSize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: size PATH N")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatInt(info.Size(), 10); got != args[1] {
		ts.Fatalf("%s: %s bytes, want %s", args[0], got, args[1])
	}
}
