package admin

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// shortTempDir is a folder whose path leaves room for a socket's name.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// startServer runs a server for a fake node and returns a client of it.
func startServer(t *testing.T, log *slog.Logger) (*fakeNode, *Server, *Client) {
	t.Helper()
	node := newFakeNode()
	socket := filepath.Join(shortTempDir(t), "run", "admin.sock")
	server := NewServer(socket, node, log)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return node, server, NewClient(socket)
}

func stop(t *testing.T, server *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestSocketIsPrivateWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	_, _, client := startServer(t, quiet())
	info, err := os.Lstat(client.Socket())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, want a socket of mode 0600", info.Mode())
	}
	dir, err := os.Stat(filepath.Dir(client.Socket()))
	if err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v, want mode 0700", dir.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(client.Socket()))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the socket: %v, %v, want nothing", left, err)
	}
}

func TestStartTwiceAndStopTwice(t *testing.T) {
	_, server, client := startServer(t, quiet())
	if err := server.Start(t.Context()); err == nil {
		t.Error("a second Start gave no error")
	}
	stop(t, server)
	stop(t, server)
	if _, err := os.Lstat(client.Socket()); !os.IsNotExist(err) {
		t.Errorf("socket after Stop: %v, want none", err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Status(within(t)); err != nil {
		t.Errorf("after a new start: %v", err)
	}
}

func TestStopWithoutStart(t *testing.T) {
	stop(t, NewServer(filepath.Join(shortTempDir(t), "s"), newFakeNode(), quiet()))
}

func TestLivingSocketIsRefused(t *testing.T) {
	_, _, client := startServer(t, quiet())
	err := NewServer(client.Socket(), newFakeNode(), quiet()).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another node listens here") {
		t.Errorf("got %v, want a refusal", err)
	}
	if _, err := client.Status(within(t)); err != nil {
		t.Errorf("the first node after the refusal: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(shortTempDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server := NewServer(socket, newFakeNode(), quiet())
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, server)
}

func TestFileInTheWayIsKept(t *testing.T) {
	socket := filepath.Join(shortTempDir(t), "s")
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := NewServer(socket, newFakeNode(), quiet()).Start(t.Context()); err == nil {
		t.Error("no error about the file in the way")
	}
	if kept, err := os.ReadFile(socket); string(kept) != "precious" {
		t.Errorf("file is %q, %v", kept, err)
	}
}

func TestSocketPathLength(t *testing.T) {
	dir := shortTempDir(t)
	pad := func(n int) string { return filepath.Join(dir, strings.Repeat("x", n-len(dir)-1)) }
	longest := NewServer(pad(maxSocketPath), newFakeNode(), quiet())
	if err := longest.Start(t.Context()); err != nil {
		t.Errorf("%d bytes: %v", maxSocketPath, err)
	}
	stop(t, longest)
	err := NewServer(pad(maxSocketPath+1), newFakeNode(), quiet()).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "108 bytes, at most 107: set a shorter path") {
		t.Errorf("%d bytes: %v", maxSocketPath+1, err)
	}
	if _, err := NewClient(pad(200)).Status(within(t)); err == nil || asError(err).Kind != KindUsage {
		t.Errorf("client: %v", err)
	}
}

func TestStopEndsWhatIsOpen(t *testing.T) {
	node, server, client := startServer(t, quiet())
	ended := make(chan error, 3)
	go func() { ended <- client.Events(within(t), Watch{}, func() {}, func(Event) error { return nil }) }()
	go func() {
		_, err := client.Ping(within(t), nodeNamed("silent"))
		ended <- err
	}()
	go func() { ended <- register(t, client, "echo", nil) }()
	idle, err := net.Dial("unix", client.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	eventually(t, "registration", func() bool { return len(node.Services("")) == 1 })
	stop(t, server)
	for range 3 {
		if err := <-ended; asError(err).Kind != KindNoNode {
			t.Errorf("got %v, want kind %s", err, KindNoNode)
		}
	}
	eventually(t, "registration ends", func() bool { return len(node.Services("")) == 0 })
}

func TestRequestsAreCounted(t *testing.T) {
	g := &gate{limit: 1}
	if err := g.enter(); err != nil {
		t.Fatal(err)
	}
	if err := g.enter(); err == nil {
		t.Error("a second request got in")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.close(ctx); err == nil {
		t.Error("close did not wait")
	}
	g.leave()
	if err := g.close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.enter(); asError(err).Kind != KindNoNode {
		t.Errorf("after close: %v", err)
	}
}

func TestPanicIsContained(t *testing.T) {
	var log strings.Builder
	_, _, client := startServer(t, slog.New(slog.NewTextHandler(&log, nil)))
	_, err := client.Ping(within(t), nodeNamed("broken"))
	if err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("got %v", err)
	}
	if err := register(t, client, "panics", nil); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("registration: %v", err)
	}
	if _, err := client.Status(within(t)); err != nil {
		t.Errorf("next request: %v", err)
	}
	if strings.Count(log.String(), "boom") < 2 {
		t.Errorf("log says nothing of the panics:\n%s", log.String())
	}
}
