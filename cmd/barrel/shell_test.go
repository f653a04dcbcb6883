package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core/admin"
)

func TestRunShell(t *testing.T) {
	for _, c := range []struct {
		what, command, payload, answer, problem string
	}{
		{"answer", "tr a-z A-Z", "hello", "HELLO", ""},
		{"caller", `printf %s "$BARREL_FROM"`, "", "b@10.0.0.1/8/17", ""},
		{"stdin not read", "echo x", strings.Repeat("y", 1<<20), "x\n", ""},
		{"failure", "echo first >&2; echo last >&2; exit 7", "", "", "exit status 7: first\nlast"},
		{"silent failure", "exit 1", "", "", "exit status 1: -"},
		{"killed", "kill -9 $$", "", "", "signal: killed"},
		{"endless complaint", "head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1", "", "", "xend"},
		{"endless answer", "cat /dev/zero", "", "", "larger than 16 MiB"},
	} {
		answer, err := runShell(t.Context(), c.command, admin.Delivery{From: echo().Ref, Payload: []byte(c.payload)}, os.Environ())
		switch {
		case string(answer) != c.answer:
			t.Errorf("%s: answer %.50q, want %q", c.what, answer, c.answer)
		case (err != nil) != (c.problem != "") || err != nil && !strings.Contains(err.Error(), c.problem):
			t.Errorf("%s: error %.200v, want %q", c.what, err, c.problem)
		case err != nil && len(err.Error()) > errorTail+100:
			t.Errorf("%s: error of %d bytes", c.what, len(err.Error()))
		}
	}
}

func TestRunShellIsKilledWithWhatItStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	marker := t.TempDir() + "/begun"
	done := make(chan error, 1)
	go func() {
		_, err := runShell(ctx, "touch "+marker+"; sleep 600 & wait", admin.Delivery{}, os.Environ())
		done <- err
	}()
	for {
		if _, err := os.Stat(marker); err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("never began")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
