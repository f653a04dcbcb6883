package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func future() time.Time { return time.Now().Add(time.Hour) }

func TestWriteReplacesContentAndMode(t *testing.T) {
	for name, write := range map[string]func(string, []byte, fs.FileMode) error{"write": Write, "note": Note} {
		t.Run(name, func(t *testing.T) { replaces(t, write) })
	}
}

func replaces(t *testing.T, write func(string, []byte, fs.FileMode) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		content string
		mode    fs.FileMode
	}{{"first, and longer", 0o644}, {"second", 0o600}, {"", 0o640}} {
		if err := write(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		expectFile(t, path, c.content, c.mode)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside the file: %v, %v", left, err)
	}
}

func TestWriteNeverShowsSecretsToOthers(t *testing.T) {
	dir := t.TempDir()
	d := system()
	rename := d.rename
	d.rename = func(from, to string) error {
		expectFile(t, from, "secret", 0o600)
		return rename(from, to)
	}
	create := d.create
	d.create = func(path string) (handle, error) {
		h, err := create(path)
		expectFile(t, path, "", 0o600)
		return h, err
	}
	if err := d.write(filepath.Join(dir, "f"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFailedStepLeavesOldContentAndNoTemporary(t *testing.T) {
	full := syscall.ENOSPC
	failures := map[string]func(*disk){
		"create": func(d *disk) { d.create = func(string) (handle, error) { return nil, full } },
		"rename": func(d *disk) { d.rename = func(string, string) error { return full } },
		"link":   func(d *disk) { d.link = func(string, string) error { return full } },
		"write":  func(d *disk) { d.create = failing(d.create, "write", full) },
		"chmod":  func(d *disk) { d.create = failing(d.create, "chmod", full) },
		"sync":   func(d *disk) { d.create = failing(d.create, "sync", full) },
		"close":  func(d *disk) { d.create = failing(d.create, "close", full) },
	}
	for name, spoil := range failures {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if err := Write(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			d := system()
			spoil(&d)
			if name != "link" {
				expectNoSpace(t, d.write(path, []byte("new"), 0o600), path)
			}
			if name != "rename" {
				expectNoSpace(t, d.exclusive(path+"2", []byte("new"), 0o600), path+"2")
			}
			expectFile(t, path, "old", 0o600)
			expectNames(t, dir, "f")
		})
	}
}

func TestCreateThatCannotBeSyncedIsUndone(t *testing.T) {
	dir := t.TempDir()
	d := system()
	d.syncDir = func(string) error { return syscall.EIO }
	if err := d.exclusive(filepath.Join(dir, "f"), []byte("new"), 0o600); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
	expectNames(t, dir)
}

type failingHandle struct {
	handle
	step string
	err  error
}

func failing(create func(string) (handle, error), step string, reason error) func(string) (handle, error) {
	return func(path string) (handle, error) {
		h, err := create(path)
		return failingHandle{h, step, reason}, err
	}
}

func (h failingHandle) at(step string, err error) error {
	if h.step == step {
		return h.err
	}
	return err
}
func (h failingHandle) Write(b []byte) (int, error) {
	n, err := h.handle.Write(b)
	return n, h.at("write", err)
}
func (h failingHandle) Chmod(m fs.FileMode) error { return h.at("chmod", h.handle.Chmod(m)) }
func (h failingHandle) Sync() error               { return h.at("sync", h.handle.Sync()) }
func (h failingHandle) Close() error              { return h.at("close", h.handle.Close()) }

func TestCreateHasOneWinner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pin")
	var won atomic.Pointer[string]
	var wins atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			content := fmt.Sprint("content of ", i)
			err := Create(path, []byte(content), 0o600)
			switch {
			case err == nil:
				wins.Add(1)
				won.Store(&content)
			case !errors.Is(err, fs.ErrExist):
				t.Errorf("loser: %v", err)
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d winners", wins.Load())
	}
	expectFile(t, path, *won.Load(), 0o600)
	expectNames(t, dir, "pin")
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none", "f")
	if err := Write(missing, nil, 0o600); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), missing) {
		t.Errorf("absent folder: %v", err)
	}
	if err := Write(filepath.Join(dir, "f"), nil, 0o600|fs.ModeSetuid); err == nil {
		t.Error("setuid accepted")
	}
	if err := Write(dir, nil, 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	expectNames(t, dir)
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
	if err := Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second time: %v", err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 5); err != nil || string(got) != "12345" {
		t.Errorf("at the limit: %q, %v", got, err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := Read(path+"?", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := Read(dir, 4); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(pipe, 4); err == nil || !strings.Contains(err.Error(), "special file") {
		t.Errorf("pipe: %v", err)
	}
}

func TestJoin(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "a/b", "../a", "/a", `a\b`, "a\x00", strings.Repeat("a", 256)} {
		if path, err := Join("dir", bad); !errors.Is(err, ErrElement) {
			t.Errorf("%q: %q, %v", bad, path, err)
		}
	}
	for _, good := range []string{"a", "...", "a..b", "a@[fd00::1].pub", strings.Repeat("a", 255)} {
		if path, err := Join("dir", good); err != nil || path != "dir/"+good {
			t.Errorf("%q: %q, %v", good, path, err)
		}
	}
}

func TestEnsureDir(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if loose, err := EnsureDir(deep, 0o700); err != nil || loose != nil {
			t.Fatalf("%v, %v", loose, err)
		}
	}
	for _, path := range []string{deep, filepath.Dir(deep)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

func TestEnsureDirTightensNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	loose, err := EnsureDir(dir, 0o700)
	if err != nil || loose == nil {
		t.Fatalf("%v, %v", loose, err)
	}
	want := dir + `: mode 0755, want 0700: run "chmod 0700 ` + dir + `"`
	if loose.String() != want {
		t.Errorf("%s\nwant %s", loose, want)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("was changed: %v, %v", info.Mode(), err)
	}
}

func TestEnsureDirOverFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureDir(path, 0o700); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("%v", err)
	}
	if _, err := EnsureDir(filepath.Join(path, "sub"), 0o700); err == nil {
		t.Error("made below a file")
	}
}

func TestSweepTakesOldTemporariesOnly(t *testing.T) {
	dir := t.TempDir()
	old, young := tempName(), tempName()
	for _, name := range []string{old, young, "node.key", ".safefile-mine.tmp", "x.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, old), past, past); err != nil {
		t.Fatal(err)
	}
	if n, err := Sweep(dir, past.Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	expectNames(t, dir, young, ".safefile-mine.tmp", "node.key", "x.tmp")
	if n, err := Sweep(filepath.Join(dir, "none"), past); n != 0 || err != nil {
		t.Errorf("absent folder: %d, %v", n, err)
	}
}

func expectFile(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%s: %q, %v; want %q", path, got, err, content)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != mode {
		t.Errorf("%s: %v, %v; want mode %v", path, info, err, mode)
	}
}

func expectNoSpace(t *testing.T, err error, place string) {
	t.Helper()
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), place+":") {
		t.Errorf("error %v", err)
	}
}

// expectNames wants exactly these names in dir.
func expectNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, entry := range entries {
		left[entry.Name()] = true
	}
	for _, name := range want {
		if !left[name] {
			t.Errorf("%s is gone", name)
		}
		delete(left, name)
	}
	for name := range left {
		t.Errorf("%s stays behind", name)
	}
}
