package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

// TestGolden compares what the commands print of a still node with files; go test
// -update writes them.
func TestGolden(t *testing.T) {
	socket := serveStillNode(t)
	key := strings.Repeat("ab", 32)
	for _, c := range []struct{ file, args string }{
		{"status", "status"},
		{"members", "members"},
		{"view", "view"},
		{"links", "links"},
		{"streams", "streams"},
		{"migrate", "migrate b@10.0.0.1"},
		{"services", "services"},
		{"lookup", "lookup echo"},
		{"lookup-none", "lookup nothing"},
		{"whereis", "whereis echo --retries 2"},
		{"ping", "ping b@10.0.0.1 -n 2"},
		{"ping-silent", "ping silent@10.0.0.1 --timeout 100ms"},
		{"discover", "discover b@10.0.0.1"},
		{"discover-explain", "discover b@10.0.0.1 --explain"},
		{"discover-none", "discover nobody@10.0.0.1 --explain"},
		{"call", "call echo hello"},
		{"call-none", "call nothing hello"},
		{"send", "send echo hello"},
		{"join", "join b@10.0.0.1"},
		{"join-refused", "join strict@10.0.0.1"},
		{"leave", "leave"},
		{"events", "events"},
		{"keys-show", "keys show"},
		{"keys-rotate", "keys rotate identity"},
		{"trust-list", "trust list"},
		{"trust-add", "trust add b@10.0.0.1 " + key},
		{"trust-remove", "trust remove b@10.0.0.1"},
		{"trust-mode", "trust mode"},
		{"plugin-list", "plugin list"},
		{"doctor", "doctor"},
		{"wait", "wait members 2 --exactly"},
		{"wait-timeout", "wait service nothing --timeout 100ms"},
		{"register", "register svc --meta k=v --exec cat"},
		{"register-fails", "register svc --exec false"},
	} {
		args := append(strings.Fields(c.args), "--socket", socket)
		compare(t, c.file+".txt", runCommand(args...))
		if c.file != "wait" { // the document has the time that it took
			compare(t, c.file+".json", runCommand(append(args, "-o", "json")...))
		}
	}
}

// serveStillNode serves a still node and returns its socket.
func serveStillNode(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmd")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	server := admin.NewServer(socket, stillNode{}, slog.New(slog.DiscardHandler))
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return socket
}

// runCommand runs the program and returns all that a user sees of it.
func runCommand(args ...string) string {
	var stdout, stderr bytes.Buffer
	a := &app{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		environ: []string{"PATH=" + os.Getenv("PATH")}, now: noon, deps: realDeps(),
	}
	status := a.run(args)
	return fmt.Sprintf("%s-- stderr --\n%s-- exit %d --\n", stdout.String(), stderr.String(), status)
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", file)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, got, want)
	}
}
