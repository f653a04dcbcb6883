package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/plugins"
)

func TestMain(m *testing.M) {
	workerOrTests(func() { goleak.VerifyTestMain(m) })
}

// newField is a lab whose nodes talk QUIC on the loopback network, with everything that
// is built in to choose from.
func newField(t *testing.T) *lab {
	t.Helper()
	return &lab{t: t, folder: t.TempDir(), sets: []string{"transport.quic.listen=127.0.0.1:0"}, catalog: plugins.All()}
}

// pair starts two nodes and waits until each is a member at the other.
func (l *lab) pair(sets ...string) (a, b *core.Node) {
	l.t.Helper()
	a, b = l.start("a@127.0.0.1", sets...), l.start("b@127.0.0.1", sets...)
	l.join(b, a)
	return a, b
}

func (l *lab) join(joiner, through *core.Node) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if err := joiner.Join(ctx, through.Name()); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "the joiner is a member", func() bool { return stateAt(through, joiner.Name()) == membership.Alive })
}

// loadFile loads a configuration file, as a user writes it.
func (l *lab) loadFile(yaml string, sets ...string) *config.Config {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		l.t.Fatal(err)
	}
	cfg, err := core.Load(config.Sources{File: file, DataDir: l.t.TempDir(), Sets: sets}, l.catalog)
	if err != nil {
		l.t.Fatal(err)
	}
	return cfg
}

// stateAt is what a node thinks of a member; "" if it does not know it.
func stateAt(at *core.Node, node name.Node) membership.State {
	for _, m := range at.Members() {
		if m.Node == node {
			return m.State
		}
	}
	return ""
}

func adminOf(t *testing.T, n *core.Node) admin.Node {
	t.Helper()
	c, err := n.Admin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// warned reports whether the status of a node has a warning with that text in it.
func warned(t *testing.T, n *core.Node, text string) bool {
	t.Helper()
	return strings.Contains(strings.Join(adminOf(t, n).Status().Warnings, "\n"), text)
}

// call calls a service within the patience of the tests.
func call(t *testing.T, from *core.Node, target, payload string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := from.Call(ctx, target, []byte(payload))
	return string(out), err
}

// tape keeps all events of a node from when it was made.
type tape struct {
	t      *testing.T
	mu     sync.Mutex
	events []core.Event
}

func record(t *testing.T, n *core.Node) *tape {
	t.Helper()
	r, sub, done := &tape{t: t}, n.Subscribe(), make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, err := sub.Next(context.Background())
			if err != nil {
				return
			}
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() { sub.Close(); <-done })
	return r
}

// all returns the events of a kind and type, in order.
func (r *tape) all(kind, what string) []core.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []core.Event
	for _, e := range r.events {
		if e.Kind == kind && (what == "" || e.Type == what) {
			found = append(found, e)
		}
	}
	return found
}

// first waits for the first event of a kind and type.
func (r *tape) first(kind, what string) core.Event {
	r.t.Helper()
	eventually(r.t, "an event "+kind+" "+what, func() bool { return len(r.all(kind, what)) > 0 })
	return r.all(kind, what)[0]
}

// story is the kinds and types of all events so far, and about whom.
func (r *tape) story() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := make([]string, len(r.events))
	for i, e := range r.events {
		told[i] = fmt.Sprintf("%s %s %s%s", e.Kind, e.Type, e.Node, e.Name)
	}
	return told
}

// journal is a log that can be read back.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// within fails a test that took longer than it may ever, and tells how long it took.
func within(t *testing.T, what string, began time.Time, limit time.Duration) {
	t.Helper()
	took := time.Since(began)
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s: took %v, more than %v", what, took, limit)
	}
}

func offer(t *testing.T, n *core.Node, service string, handle core.Handler, opts ...core.RegisterOption) *core.Registration {
	t.Helper()
	r, err := n.Register(t.Context(), name.MustService(service), nil, handle, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func offerEcho(t *testing.T, n *core.Node) *core.Registration {
	t.Helper()
	return offer(t, n, "echo", echo, core.Concurrency(8))
}

func isKind(err error, kinds ...error) bool {
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			return false
		}
	}
	return err != nil
}

// endpointFiles lists the nodes that are published in a folder.
func endpointFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	return names
}

func isAs[E error](err error, target *E) bool { return errors.As(err, target) }
