package discoveryexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	plugintest.Discovery(t, plugintest.DiscoveryHarness{
		New: func(t plugintest.T, env plugin.Env, known map[name.Node][]name.Address) discovery.Plugin {
			script := "case $1 in\n"
			for node, addresses := range known {
				script += fmt.Sprintf("%s) echo %s;;\n", node, strings.Trim(fmt.Sprint(addresses), "[]"))
			}
			return asking(t, env, script+"*) exit 6;;\nesac")
		},
	})
}

// asking is a backend that runs a shell script.
func asking(t plugintest.T, env plugin.Env, script string) *backend {
	t.Helper()
	path := filepath.Join(t.TempDir(), "where-is")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	s := defaults()
	s.Command, s.Env = path, map[string]string{"SITE": "north"}
	p, err := Factory().New(env, s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p.(*backend)
}

func TestWhatACommandCanSay(t *testing.T) {
	tests := map[string]struct {
		script string
		want   string // endpoints
		ttl    time.Duration
		err    string
		kind   error
	}{
		"words":               {script: "echo 10.0.0.1:1 10.0.0.2:2; echo '[fd00::1]:3 # the third'", want: "10.0.0.1:1 10.0.0.2:2 [fd00::1]:3"},
		"IPv6 alone":          {script: "echo '[fd00::1]:3'", want: "[fd00::1]:3"},
		"a list":              {script: `echo '["10.0.0.1:1", "h.example:2"]'`, want: "10.0.0.1:1 h.example:2"},
		"an object":           {script: `echo '{"endpoints": ["10.0.0.1:1"], "ttl": "90s", "rack": 3}'`, want: "10.0.0.1:1", ttl: 90 * time.Second},
		"its arguments":       {script: `test $# = 1 && test "$1" = "$BARREL_NODE" && test "$SITE" = north && test -z "$HOME" && echo 10.0.0.1:1`, want: "10.0.0.1:1"},
		"nothing":             {script: "", kind: discovery.ErrNotFound},
		"an empty list":       {script: "echo '[]'", kind: discovery.ErrNotFound},
		"status 6":            {script: "exit 6", kind: discovery.ErrNotFound},
		"another status":      {script: "echo trying >&2; printf 'no route\\a to inventory\\n' >&2; exit 3", err: "exit status 3: no route� to inventory"},
		"no address":          {script: "echo hello", err: `"hello"`},
		"a broken list":       {script: "echo '[1, 2'; echo ']'", err: "no JSON"},
		"a bad ttl":           {script: `echo '{"endpoints": ["h:1"], "ttl": "soon"}'`, err: `ttl "soon"`},
		"too much":            {script: "yes 10.0.0.1:1 | head -c 100000", err: "more than 65536 bytes"},
		"too many":            {script: "yes 10.0.0.1:1 | head -n 65", err: "65 addresses"},
		"a kill of its own":   {script: "kill -9 $$", err: "signal: killed"},
		"closes its own ends": {script: "exec 1>&- 2>&-; exit 6", kind: discovery.ErrNotFound},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) { // not in parallel: a fork elsewhere keeps a script busy that was just written
			answer, err := asking(t, plugintest.Env(t, "self@h"), test.script).Lookup(t.Context(), name.MustNode("a@h"))
			if got := strings.Trim(fmt.Sprint(answer.Endpoints), "[]"); test.want != "" && strings.Trim(test.want, "[]") != got || answer.TTL != test.ttl {
				t.Errorf("%v, want %s", answer, test.want)
			}
			switch {
			case test.want != "" && err != nil, test.kind != nil && !errors.Is(err, test.kind):
				t.Errorf("error %v, want %v", err, test.kind)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || errors.Is(err, discovery.ErrNotFound)):
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

// A command that hangs, with a child that holds its output, ends with its time.
func TestTimeIsUp(t *testing.T) {
	b := asking(t, plugintest.Env(t, "self@h"), "sleep 300 & sleep 300")
	b.current.Load().Timeout = 100 * time.Millisecond
	begun := time.Now()
	_, err := b.Lookup(t.Context(), name.MustNode("a@h"))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestOnlySoManyAtOnce(t *testing.T) {
	b := asking(t, plugintest.Env(t, "self@h"), "echo 10.0.0.1:1")
	v := b.current.Load()
	for range cap(v.room) {
		v.room <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Lookup(ctx, name.MustNode("a@h")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestACommandThatIsNone(t *testing.T) {
	for _, command := range []string{"/no/such/file", "/etc/passwd", "/tmp"} {
		s := defaults()
		s.Command = command
		p, err := Factory().New(plugintest.Env(t, "self@h"), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), command) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestReload(t *testing.T) {
	b, other := asking(t, plugintest.Env(t, "self@h"), "echo 10.0.0.1:1"), asking(t, plugintest.Env(t, "self@h"), "echo 10.0.0.2:2")
	if err := b.Reload(t.Context(), &other.current.Load().Settings); err != nil {
		t.Fatal(err)
	}
	if answer, err := b.Lookup(t.Context(), name.MustNode("a@h")); err != nil || answer.Endpoints[0].Port() != 2 {
		t.Errorf("%v, %v", answer, err)
	}
	gone := other.current.Load().Settings
	gone.Command = "/no/such/file"
	if b.Reload(t.Context(), &gone) == nil || b.Reload(t.Context(), &plugin.NoSettings{}) == nil {
		t.Error("bad settings were taken")
	}
	if answer, err := b.Lookup(t.Context(), name.MustNode("a@h")); err != nil || answer.Endpoints[0].Port() != 2 {
		t.Errorf("after a bad reload: %v, %v", answer, err)
	}
}

func TestValidate(t *testing.T) {
	bad := &Settings{Command: "where-is", Env: map[string]string{"A=B": ""}, TTL: -1, AtOnce: 65}
	var paths []string
	for _, p := range bad.Validate() {
		paths = append(paths, p.Path)
	}
	if got := strings.Join(paths, " "); got != "command env timeout ttl at_once" {
		t.Errorf("problems with %s", got)
	}
	good := defaults()
	if problems := good.Validate(); len(problems) != 1 || problems[0].Path != "command" {
		t.Errorf("the defaults: %v", problems)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"10.0.0.1:1 # x", `["h:1"]`, `{"endpoints":["h:1"],"ttl":"1s"}`, "[fd00::1]:1", "[]", "{}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := parse(text, newVersion(defaults()))
		if err == nil && (len(answer.Endpoints) == 0 || len(answer.Endpoints) > maxEndpoints || answer.TTL < 0) {
			t.Fatalf("answer %v", answer)
		}
	})
}
