package external

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// quick is the patience of tests: that of operators is longer. But for the health: a
// machine that is busy must not make a plugin look stuck.
func quick() Options {
	return Options{
		Version: "test", Start: time.Minute, Health: 5 * time.Second, Misses: 3,
		Grace: 300 * time.Millisecond, Backoff: 10 * time.Millisecond, MaxPause: 50 * time.Millisecond,
	}
}

// self is the spec of this test binary as a plugin.
func self(t *testing.T, kind plugin.Kind, args ...string) Spec {
	t.Helper()
	return Spec{Kind: kind, Name: "test", Command: executable(t), Args: args, Timeout: 10 * time.Second,
		Env: map[string]string{"GORACE": "atexit_sleep_ms=0"}}
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// world is a facade and all that can be seen of it.
type world struct {
	*testing.T
	facade *discoveryFacade
	log    *logBook

	mu     sync.Mutex
	health []plugin.Health // as told
}

// newWorld makes a facade that is not started.
func newWorld(t *testing.T, opts Options, spec Spec, section plugin.Section) *world {
	t.Helper()
	w := &world{T: t, log: &logBook{}}
	env := plugintest.Env(t, "self@h")
	env.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	made, err := Discovery(spec, opts).New(env, &section)
	if err != nil {
		t.Fatal(err)
	}
	w.facade, _ = made.(*discoveryFacade)
	w.facade.OnHealth(func(h plugin.Health) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.health = append(w.health, h)
	})
	t.Cleanup(func() {
		if err := w.facade.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
		w.expectNothingLeft(env.DataDir)
	})
	return w
}

// started is a facade whose plugin runs.
func started(t *testing.T, flaw string) *world {
	t.Helper()
	w := newWorld(t, quick(), self(t, plugin.Discovery, flaw), nil)
	if err := w.facade.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v\n%s", err, w.log.tail())
	}
	return w
}

func (w *world) expectNothingLeft(dir string) {
	w.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			w.Errorf("%s is left in the data directory", path)
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

func (w *world) lookup(node string) (discovery.Answer, error) {
	return w.facade.Lookup(w.Context(), name.MustNode(node+"@h"))
}

func (w *world) expectWorks() {
	w.Helper()
	answer, err := w.lookup("a")
	if err != nil || len(answer.Endpoints) != 1 || answer.TTL != time.Minute {
		w.Errorf("answer %v, %v\n%s", answer, err, w.log.tail())
	}
}

// expectRevival waits until another process works.
func (w *world) expectRevival(before int) {
	w.Helper()
	plugintest.Eventually(w, "another process", func() bool {
		_, err := w.lookup("a")
		pid := w.facade.Process().PID
		return err == nil && pid != before && pid != 0
	})
}

func (w *world) pid() int { return w.facade.Process().PID }

func (w *world) told() []plugin.Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]plugin.Health{}, w.health...)
}

func (w *world) expectGone(pid int) {
	w.Helper()
	plugintest.Eventually(w, "end of a process", func() bool { return !alive(pid) })
}

// alive is false for a process that has ended, buried or not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func startTrust(t *testing.T, pins trust.Pins) *trustFacade {
	t.Helper()
	env := trust.Env{Env: plugintest.Env(t, "self@h"), Pins: pins}
	made, err := Trust(self(t, plugin.Trust, "trust"), quick()).New(env, &plugin.Section{})
	if err != nil {
		t.Fatal(err)
	}
	facade, _ := made.(*trustFacade)
	if err := facade.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := facade.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return facade
}

// logBook is a log that can be read while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// tail is enough to see what went wrong.
func (l *logBook) tail() string {
	text := l.String()
	return text[max(0, len(text)-4000):]
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
