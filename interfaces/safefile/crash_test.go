package safefile

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var errPower = errors.New("power is gone")

// fuse lets a number of steps happen and none after them.
type fuse struct{ left, used int }

func (f *fuse) step(act func() error) error {
	if f.used >= f.left {
		return errPower
	}
	f.used++
	return act()
}

// fused is the disk of the machine, until the fuse blows.
func fused(f *fuse) disk {
	machine := system()
	return disk{
		create: func(path string) (h handle, err error) {
			err = f.step(func() error { h, err = machine.create(path); return err })
			return fusedHandle{h, f}, err
		},
		rename:  func(a, b string) error { return f.step(func() error { return machine.rename(a, b) }) },
		link:    func(a, b string) error { return f.step(func() error { return machine.link(a, b) }) },
		remove:  func(a string) error { return f.step(func() error { return machine.remove(a) }) },
		syncDir: func(a string) error { return f.step(func() error { return machine.syncDir(a) }) },
	}
}

type fusedHandle struct {
	handle
	fuse *fuse
}

func (h fusedHandle) Write(p []byte) (n int, err error) {
	err = h.fuse.step(func() error { n, err = h.handle.Write(p); return err })
	if err != nil {
		n, _ = h.handle.Write(p[:len(p)/2]) // the half that got through
	}
	return n, err
}
func (h fusedHandle) Chmod(m fs.FileMode) error {
	return h.fuse.step(func() error { return h.handle.Chmod(m) })
}
func (h fusedHandle) Sync() error { return h.fuse.step(h.handle.Sync) }

// steps is more than any operation of the package takes.
const steps = 12

func TestWriteInterruptedAnywhereLeavesOldOrNew(t *testing.T) {
	for left := range steps {
		dir := t.TempDir()
		path := filepath.Join(dir, "node.key")
		if err := Write(path, []byte("old content"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := fused(&fuse{left: left}).write(path, []byte("new"), 0o600)
		got, readErr := Read(path, 100)
		if readErr != nil || !slices.Contains([]string{"old content", "new"}, string(got)) {
			t.Errorf("after %d steps: %q, %v", left, got, readErr)
		}
		if err == nil && string(got) != "new" {
			t.Errorf("after %d steps: no error, yet %q", left, got)
		}
		expectOnlyTemps(t, dir, "node.key")
	}
}

func TestCreateInterruptedAnywhereLeavesNothingOrAll(t *testing.T) {
	for left := range steps {
		dir := t.TempDir()
		path := filepath.Join(dir, "pin")
		err := fused(&fuse{left: left}).exclusive(path, []byte("new"), 0o600)
		got, readErr := Read(path, 100)
		if !errors.Is(readErr, fs.ErrNotExist) && string(got) != "new" {
			t.Errorf("after %d steps: %q, %v", left, got, readErr)
		}
		if err == nil && string(got) != "new" {
			t.Errorf("after %d steps: no error, yet %q", left, got)
		}
		expectOnlyTemps(t, dir, "pin")
	}
}

// expectOnlyTemps sees that a crash left nothing but name and what Sweep removes.
func expectOnlyTemps(t *testing.T, dir, name string) {
	t.Helper()
	if _, err := Sweep(dir, future()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != name {
			t.Errorf("%s stays behind", entry.Name())
		}
	}
}

// platter is a disk that forgets at a power cut what it was not told to keep: the
// content of a file that was not synced is torn, and a folder may be in any state it
// went through since it was last synced.
type platter struct {
	live   map[string]*inode
	states []map[string]*inode // since the last sync of the folder, oldest first
}

type inode struct{ content, kept string }

func newPlatter(files map[string]string) *platter {
	p := &platter{live: map[string]*inode{}}
	for path, content := range files {
		p.live[path] = &inode{content, content}
	}
	p.states = []map[string]*inode{maps.Clone(p.live)}
	return p
}

func (p *platter) changed() error { p.states = append(p.states, maps.Clone(p.live)); return nil }

func (p *platter) disk(f *fuse) disk {
	return disk{
		create: func(path string) (handle, error) {
			node := &inode{kept: "torn"}
			h := &platterFile{node, f}
			return h, f.step(func() error { p.live[path] = node; return p.changed() })
		},
		rename: func(from, to string) error {
			return f.step(func() error {
				p.live[to] = p.live[from]
				delete(p.live, from)
				return p.changed()
			})
		},
		link: func(from, to string) error {
			return f.step(func() error { p.live[to] = p.live[from]; return p.changed() })
		},
		remove: func(path string) error {
			return f.step(func() error { delete(p.live, path); return p.changed() })
		},
		syncDir: func(string) error {
			return f.step(func() error { p.states = []map[string]*inode{maps.Clone(p.live)}; return nil })
		},
	}
}

// afterPowerCut lists what the file may hold then.
func (p *platter) afterPowerCut(path string) []string {
	var found []string
	for _, state := range p.states {
		content := "absent"
		if node := state[path]; node != nil {
			content = node.kept
		}
		found = append(found, content)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

type platterFile struct {
	*inode
	fuse *fuse
}

func (f *platterFile) Write(b []byte) (int, error) {
	return len(b), f.fuse.step(func() error { f.content += string(b); return nil })
}
func (f *platterFile) Chmod(fs.FileMode) error {
	return f.fuse.step(func() error { return nil })
}
func (f *platterFile) Sync() error {
	return f.fuse.step(func() error { f.kept = f.content; return nil })
}
func (f *platterFile) Close() error { return nil }

func TestPowerCutAnywhere(t *testing.T) {
	actions := map[string]struct {
		before  map[string]string
		act     func(disk) error
		allowed []string
	}{
		"replace": {
			map[string]string{"dir/f": "old"},
			func(d disk) error { return d.write("dir/f", []byte("new"), 0o600) },
			[]string{"old", "new"},
		},
		"first write": {
			nil,
			func(d disk) error { return d.write("dir/f", []byte("new"), 0o600) },
			[]string{"absent", "new"},
		},
		"create": {
			nil,
			func(d disk) error { return d.exclusive("dir/f", []byte("new"), 0o600) },
			[]string{"absent", "new"},
		},
	}
	for name, c := range actions {
		t.Run(name, func(t *testing.T) {
			for left := range steps {
				p := newPlatter(c.before)
				err := c.act(p.disk(&fuse{left: left}))
				found := p.afterPowerCut("dir/f")
				for _, content := range found {
					if !slices.Contains(c.allowed, content) {
						t.Errorf("after %d steps the file may be %s", left, content)
					}
				}
				if err == nil && !slices.Equal(found, []string{"new"}) {
					t.Errorf("after %d steps: reported as done, yet may be %q", left, found)
				}
			}
		})
	}
}

func TestPowerCutIsNoticedWithoutSync(t *testing.T) {
	p := newPlatter(map[string]string{"dir/f": "old"})
	d := p.disk(&fuse{left: steps})
	create := d.create
	d.create = func(path string) (handle, error) {
		h, err := create(path)
		return unsynced{h}, err
	}
	if err := d.write("dir/f", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := p.afterPowerCut("dir/f"); !slices.Equal(found, []string{"torn"}) {
		t.Errorf("the test disk keeps unsynced content: %q", found)
	}
}

type unsynced struct{ handle }

func (unsynced) Sync() error { return nil }
