package core_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// broken is a reason for which a start fails, and what the error has to say.
type broken struct {
	prepare func(t *testing.T, dir string) (sets []string)
	words   []string
}

func brokenStarts() map[string]broken {
	return map[string]broken{
		"port taken": {func(t *testing.T, _ string) []string {
			socket, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = socket.Close() })
			return []string{"transport.quic.listen=" + socket.LocalAddr().String()}
		}, []string{"transport/quic", "listen", "another program has this UDP port"}},
		"socket below a file": {func(t *testing.T, _ string) []string {
			file := filepath.Join(t.TempDir(), "file")
			write(t, file, "")
			return []string{"admin.socket=" + filepath.Join(file, "sock")}
		}, []string{"admin", "file"}},
		"key cut off": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "keys", "node.key"), "too short")
			return nil
		}, []string{"node.key", "9 bytes", "32"}},
		"key unreadable": {func(t *testing.T, dir string) []string {
			if err := os.MkdirAll(filepath.Join(dir, "keys", "node.key"), 0o700); err != nil {
				t.Fatal(err)
			}
			return nil
		}, []string{"node.key"}},
		"certificate broken": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "quic", "node.crt"), "no certificate")
			write(t, filepath.Join(dir, "quic", "node.key"), "no key")
			return nil
		}, []string{"transport/quic", "node.crt", "remove both"}},
	}
}

// What can be known without starting is known when the node is made, and so by a check
// of the configuration.
func TestWhatNewRefuses(t *testing.T) {
	for set, words := range map[string][]string{
		"auth.cookie_file=/nowhere/cookie":                                {"auth.cookie_file", "/nowhere/cookie", "write the cookie"},
		"admin.socket=" + filepath.Join("/tmp", strings.Repeat("x", 200)): {"admin.socket", "at most 107", "shorter"},
	} {
		f := newField(t)
		dir := filepath.Join(t.TempDir(), "data")
		_, err := core.New(f.load("a@127.0.0.1", dir, set), f.catalog)
		if err == nil {
			t.Errorf("%s: taken", set)
			continue
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error %q lacks %q", err, word)
			}
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: New left something in the data directory", set)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A start that fails halfway says which part and what to do, and leaves nothing: no
// goroutine, no lock, no entry in discovery. Not parallel, because it counts goroutines.
func TestAStartThatFails(t *testing.T) {
	for what, c := range brokenStarts() {
		t.Run(what, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			f := newField(t)
			dir := t.TempDir()
			n := f.make(f.load("a@127.0.0.1", dir, c.prepare(t, dir)...))
			err := n.Start(t.Context())
			if err == nil {
				t.Fatal("it started")
			}
			for _, word := range append(c.words, "node a@127.0.0.1") {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error %q lacks %q", err, word)
				}
			}
			if err := n.Stop(t.Context()); err != nil {
				t.Errorf("stopping what did not start: %v", err)
			}
			if err := goleak.Find(leaks); err != nil {
				t.Error(err)
			}
			lock, err := identity.Lock(dir)
			if err != nil {
				t.Fatalf("the lock is held: %v", err)
			}
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
			if left := endpointFiles(t, f.folder); len(left) > 0 {
				t.Errorf("published: %v", left)
			}
		})
	}
}

// A start that was given up in time starts nothing.
func TestAStartThatIsGivenUp(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	f := newField(t)
	n := f.make(f.load("a@127.0.0.1", t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
	f.run(n) // and it can be started afterwards
}

// lame is a backend that never comes up.
type lame struct{}

func (lame) Start(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (lame) Stop(context.Context) error      { return nil }

func (lame) Lookup(context.Context, name.Node) (discovery.Answer, error) {
	return discovery.Answer{}, discovery.ErrNotFound
}

// A part that does not come up in time is named.
func TestAStartThatHangs(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	f := newField(t)
	dir := t.TempDir()
	n := f.make(f.load("a@127.0.0.1", dir), core.WithDiscovery("lame", core.Value[discovery.Env](discovery.Plugin(lame{}))))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := n.Start(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "discovery/lame") {
		t.Errorf("start: %v", err)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
	f.startIn(dir, "a@127.0.0.1")
}

// slowly tells when it is started.
type slowly struct {
	lame
	begun chan struct{}
}

func (s slowly) Start(ctx context.Context) error { close(s.begun); return s.lame.Start(ctx) }

// A stop ends a start that is under way, however long that would take.
func TestAStopEndsAStart(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	f := newField(t)
	begun := make(chan struct{})
	n := f.make(f.load("a@127.0.0.1", t.TempDir()), core.WithDiscovery("slowly", core.Value[discovery.Env](discovery.Plugin(slowly{begun: begun}))))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started, stopped := make(chan error, 1), make(chan error, 1)
	go func() { started <- n.Start(ctx) }()
	<-begun
	go func() { stopped <- n.Stop(t.Context()) }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	case <-time.After(patience):
		t.Error("the stop waits for the start")
		cancel()
	}
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}
