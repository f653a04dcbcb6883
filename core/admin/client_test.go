package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func nodeNamed(base string) name.Node { return name.MustNode(base + "@127.0.0.1") }

func TestQuestions(t *testing.T) {
	_, _, client := startServer(t, quiet())
	ctx := within(t)
	status, err := client.Status(ctx)
	if err != nil || status.Node != self() || !status.Ready {
		t.Errorf("Status: %+v, %v", status, err)
	}
	if rtt, err := client.Ping(ctx, nodeNamed("b")); err != nil || rtt != 1500*time.Microsecond {
		t.Errorf("Ping: %v, %v", rtt, err)
	}
	if d, err := client.Discover(ctx, nodeNamed("b"), true); err != nil || len(d.Steps) != 1 {
		t.Errorf("Discover: %+v, %v", d, err)
	}
	if keys, err := client.Keys(ctx); err != nil || keys.Node != self() {
		t.Errorf("Keys: %+v, %v", keys, err)
	}
	if r, err := client.Rotate(ctx, "identity"); err != nil || !r.RestartRequired {
		t.Errorf("Rotate: %+v, %v", r, err)
	}
	for what, ask := range map[string]func() (int, error){
		"members":  func() (int, error) { v, err := client.Members(ctx); return len(v), err },
		"links":    func() (int, error) { v, err := client.Links(ctx); return len(v), err },
		"plugins":  func() (int, error) { v, err := client.Plugins(ctx); return len(v), err },
		"services": func() (int, error) { v, err := client.Services(ctx, "x"); return len(v), err },
		"lookup":   func() (int, error) { v, err := client.Lookup(ctx, name.MustService("x")); return len(v), err },
		"doctor":   func() (int, error) { v, err := client.Doctor(ctx, name.Node{}); return len(v), err },
		"view":     func() (int, error) { v, err := client.View(ctx); return len(v.Active), err },
		"reload": func() (int, error) {
			v, err := post[reloadAnswer](ctx, client, "/v1/reload", nil)
			return len(v.Changes), err
		},
		"pins": func() (int, error) { v, err := client.Pins(ctx); return len(v), err },
	} {
		if n, err := ask(); n != 0 || err != nil {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
}

func TestActions(t *testing.T) {
	node, _, client := startServer(t, quiet())
	ctx, b, key := within(t), nodeNamed("b"), [32]byte{1, 2, 3}
	for what, err := range map[string]error{
		"join": client.Join(ctx, b), "leave": client.Leave(ctx),
		"add pin": client.AddPin(ctx, b, key), "mode": client.SetTrustMode(ctx, "strict"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !node.peers[b] || node.pins[b] != key {
		t.Errorf("peers %v, pins %v", node.peers, node.pins)
	}
	if mode, err := client.TrustMode(ctx); mode != "strict" || err != nil {
		t.Errorf("mode %q, %v", mode, err)
	}
	if err := client.RemovePin(ctx, b); err != nil {
		t.Errorf("remove pin: %v", err)
	}
	if err := client.RemovePin(ctx, b); asError(err).Kind != KindNotFound {
		t.Errorf("remove pin again: %v", err)
	}
}

func TestErrorsKeepTheirKindAndText(t *testing.T) {
	_, _, client := startServer(t, quiet())
	ctx := within(t)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, silent := client.Ping(short, nodeNamed("silent"))
	_, nowhere := client.Whereis(ctx, name.MustService("x"), 3)
	_, badTarget := client.Call(ctx, "!", nil)
	_, tooLarge := client.Call(ctx, "x", make([]byte, MaxPayload+1))
	for _, c := range []struct {
		what string
		err  error
		kind Kind
		text string
	}{
		{"refused", client.Join(ctx, nodeNamed("stranger")), KindRefused, "join stranger@127.0.0.1: untrusted key"},
		{"timeout", silent, KindTimeout, ""},
		{"not found", nowhere, KindNotFound, "service x: not found"},
		{"bad name", badTarget, KindUsage, `service "!"`},
		{"large", tooLarge, KindUsage, "16777217 bytes, at most 16777216"},
		{"failed", client.SetTrustMode(ctx, "never"), KindFailed, "no such mode"},
	} {
		var typed *Error
		if !errors.As(c.err, &typed) || typed.Kind != c.kind || !strings.Contains(typed.Text, c.text) {
			t.Errorf("%s: got %#v, want kind %s, text %q", c.what, c.err, c.kind, c.text)
		}
	}
}

func TestCancelledAskerGetsItsOwnError(t *testing.T) {
	_, _, client := startServer(t, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	dir := shortTempDir(t)
	_, err := NewClient(filepath.Join(dir, "none")).Status(within(t))
	if asError(err).Kind != KindNoNode || !strings.Contains(err.Error(), "start a node with barrel run") {
		t.Errorf("no socket: %v", err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if _, err := NewClient(dead).Status(within(t)); asError(err).Kind != KindNoNode {
		t.Errorf("dead socket: %v", err)
	}
}

func TestSomethingElseListens(t *testing.T) {
	socket := filepath.Join(shortTempDir(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 418 teapot\r\nContent-Length: 2\r\n\r\nhi"))
			_ = conn.Close()
		}
	}()
	if _, err := NewClient(socket).Status(within(t)); err == nil {
		t.Error("no error")
	}
	_ = l.Close()
	<-served
}

func TestDocumentsHaveNoNullsAndUTC(t *testing.T) {
	_, _, client := startServer(t, quiet())
	for _, path := range []string{
		"status", "members", "view", "links", "services", "lookup?name=x", "plugins", "discover?node=b@h", "trust", "doctor",
	} {
		body := get(t, client.Socket(), "/v1/"+path, "")
		if strings.Contains(body, "null") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if body := get(t, client.Socket(), "/v1/status", ""); !strings.Contains(body, `"started":"2024-05-01T12:00:00Z"`) {
		t.Errorf("time is not UTC: %s", body)
	}
}

func TestEventRoundTrip(t *testing.T) {
	for _, e := range []Event{
		{Time: time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC), Kind: "member", Type: "down", Node: self(), Reason: "silent"},
		{Kind: "peer", Type: "gap", Extra: map[string]string{"count": "7", "kind": "lost to the fixed field"}},
	} {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		delete(e.Extra, "kind")
		again, _ := json.Marshal(back)
		if string(again) != string(raw) || back.Kind != e.Kind || len(back.Extra) != len(e.Extra) {
			t.Errorf("got %s, want %s", again, raw)
		}
	}
}

func TestNothingIsLeftOnDisk(t *testing.T) {
	dir := shortTempDir(t)
	socket := filepath.Join(dir, "s")
	server := NewServer(socket, newFakeNode(), quiet())
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, server)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
