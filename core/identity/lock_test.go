package identity

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockRefusesASecondNodeOfThisProcess(t *testing.T) {
	dataDir := filepath.Join(t.TempDir(), "data")
	first, err := Lock(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	expectMode(t, filepath.Join(dataDir, "run"), fs.ModeDir|0o700)
	_, err = Lock(dataDir)
	expectInUse(t, err, os.Getpid())
	for range 2 {
		if err := first.Release(); err != nil {
			t.Error(err)
		}
	}
	second, err := Lock(dataDir)
	if err != nil {
		t.Fatalf("after Release: %v", err)
	}
	if err := second.Release(); err != nil {
		t.Error(err)
	}
}

func TestLocksOfDifferentFoldersAreIndependent(t *testing.T) {
	for _, dir := range []string{t.TempDir(), t.TempDir()} {
		lock, err := Lock(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Release() })
	}
}

func TestLockOfAnotherProcessEndsWithIt(t *testing.T) {
	dataDir := t.TempDir()
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldLockForAnotherTest$")
	holder.Env = append(os.Environ(), "HOLD_LOCK_OF="+dataDir)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, err = Lock(dataDir)
	expectInUse(t, err, holder.Process.Pid)

	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	lock, err := Lock(dataDir)
	if err != nil {
		t.Fatalf("after the other process was killed: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// TestHoldLockForAnotherTest is the other process; on its own it has nothing to do.
func TestHoldLockForAnotherTest(t *testing.T) {
	dataDir := os.Getenv("HOLD_LOCK_OF")
	if dataDir == "" {
		return
	}
	if _, err := Lock(dataDir); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or its parent ends
}

func expectInUse(t *testing.T, err error, pid int) {
	t.Helper()
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("error %v", err)
	}
	inUse, ok := errors.AsType[*InUseError](err)
	if !ok || inUse.PID != pid || !strings.Contains(err.Error(), fmt.Sprintf("by process %d: stop that node", pid)) {
		t.Errorf("error %v, want process %d", err, pid)
	}
}

func TestIncarnationGrows(t *testing.T) {
	dataDir := t.TempDir()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ms := uint64(noon.UnixMilli())
	steps := []struct {
		now  time.Time
		want uint64
	}{
		{noon, ms},
		{noon, ms + 1},                      // twice in one millisecond
		{noon.Add(-24 * time.Hour), ms + 2}, // the clock was set back
		{noon.Add(time.Hour), ms + 3600_000},
		{time.Unix(0, 0).Add(-time.Hour), ms + 3600_001},
	}
	for _, s := range steps {
		got, err := incarnation(dataDir, s.now)
		if err != nil || got != s.want {
			t.Errorf("at %v: %d, %v; want %d", s.now, got, err, s.want)
		}
	}
	expectMode(t, filepath.Join(dataDir, "run", "incarnation"), 0o600)
}

func TestIncarnationOfBrokenFile(t *testing.T) {
	for _, content := range []string{"", "x", "-5", "1.5", "18446744073709551615", "9007199254740992", strings.Repeat("1", 100)} {
		dataDir := t.TempDir()
		if _, err := Incarnation(dataDir); err != nil {
			t.Fatal(err)
		}
		overwrite(t, filepath.Join(dataDir, "run"), "incarnation", []byte(content), 0o600)
		n, err := Incarnation(dataDir)
		if !errors.Is(err, ErrIncarnation) || !strings.Contains(err.Error(), "run/incarnation") || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%q: %d, %v", content, n, err)
		}
		if got := string(readFile(t, filepath.Join(dataDir, "run", "incarnation"))); got != content {
			t.Errorf("%q was replaced by %q", content, got)
		}
	}
}
