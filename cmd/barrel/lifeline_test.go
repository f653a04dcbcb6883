package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A node whose demo is gone stops in good order, though nothing sends it a signal.
func TestLifeline(t *testing.T) {
	exe, err := exec.LookPath("barrel")
	if err != nil {
		t.Fatal(err)
	}
	node := newChild(exe, append(withoutSettings(os.Environ()), "GORACE=atexit_sleep_ms=20"),
		"run", "--name", "a@127.0.0.1", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.TempDir(), "a"))
	if err := node.startTied(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.kill)
	if _, err := node.line(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, node.log)
	}
	node.lifeline.Close()
	select {
	case <-node.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("goes on without its demo\n%s", node.log)
	}
	if node.err != nil || !strings.Contains(node.log.String(), "msg=stopping signal=terminated") {
		t.Errorf("%v\n%s", node.err, node.log)
	}
}
