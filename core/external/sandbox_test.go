package external

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// sandboxed is a spec of this test binary that may read what it needs to run, and the
// folders that it may and may not write to, with a listener that it may not reach.
func sandboxed(t *testing.T) (spec Spec, inside, outside string) {
	t.Helper()
	inside, outside = t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	spec = self(t, plugin.Discovery, "good")
	spec.Env["INSIDE"], spec.Env["OUTSIDE"] = inside, outside
	spec.Env["LISTENER"], spec.Env["HOST"] = listener.Addr().String(), itoa(os.Getpid())
	spec.Sandbox = &Sandbox{Read: []string{"/usr", "/lib", "/lib64"}, Write: []string{inside}}
	return spec, inside, outside
}

// expectTries compares what came of each try with what should: "ok" or a text.
func (w *world) expectTries(want map[string]string) {
	w.Helper()
	_, err := w.lookup("trespass")
	_, said, _ := strings.Cut(fmt.Sprint(err), ": ")
	for what, text := range want {
		if text == "ok" {
			text = "<nil>"
		}
		_, after, found := strings.Cut(said, what+": ")
		if got, _, _ := strings.Cut(after, "; "); !found || !strings.Contains(got, text) {
			w.Errorf("%s: %q, want %q", what, got, text)
		}
	}
}

// A confined plugin does its work and touches nothing else. Where the kernel cannot
// confine it, it does not run.
func TestASandboxedPlugin(t *testing.T) {
	t.Parallel()
	spec, _, outside := sandboxed(t)
	w := newWorld(t, quick(), spec, nil)
	err := w.facade.Start(t.Context())
	if lacking := sandboxLacking(); lacking != nil {
		if !errors.Is(err, ErrSandbox) || w.pid() != 0 {
			t.Errorf("this system has no sandbox (%v), and the plugin started all the same: %v", lacking, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Start: %v\n%s", err, w.log.tail())
	}
	w.expectWorks()
	w.expectTries(map[string]string{
		"write inside": "ok", "read inside": "ok", "read outside": "permission denied", "write outside": "permission denied",
		"truncate outside": "permission denied", "read through proc": "permission denied",
		"udp": "permission denied", "tcp": "permission denied", "signal": scopedSignal(),
		"signal to threads": scopedSignal(), "memory of threads": "operation not permitted",
		"limits of the host":        "operation not permitted",
		"link in the socket folder": "permission denied", "link inside": "ok",
	})
	if secret, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(secret) != "hunter2" {
		t.Errorf("the secret is %q now, %v", secret, err)
	}
	if said := w.facade.Process().Sandbox; !strings.Contains(said, "reads /usr") || !strings.Contains(said, "no network") {
		t.Errorf("the sandbox is described as %q", said)
	}
	pid := w.pid()
	_, _ = w.lookup("exit")
	w.expectRevival(pid) // the next one is confined too
	w.expectTries(map[string]string{"write inside": "ok", "write outside": "permission denied"})
	for _, err := range []error{
		os.WriteFile(filepath.Join(outside, "host"), nil, 0o600), // the node itself is as free as before
		os.Remove(filepath.Join(outside, "secret")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestASandboxWithNetwork(t *testing.T) {
	t.Parallel()
	spec, _, _ := sandboxed(t)
	spec.Sandbox.Network = true
	w := newWorld(t, quick(), spec, nil)
	if err := w.facade.Start(t.Context()); err != nil && sandboxLacking() == nil {
		t.Fatalf("Start: %v\n%s", err, w.log.tail())
	}
	if sandboxLacking() == nil {
		w.expectTries(map[string]string{"udp": "ok", "tcp": "ok", "write outside": "permission denied", "execute": "ok",
			"signal to threads": scopedSignal(), "memory of threads": "operation not permitted"})
	}
}

func TestASandboxThatCannotBe(t *testing.T) {
	t.Parallel()
	spec, inside, _ := sandboxed(t)
	for text, sandbox := range map[string]*Sandbox{
		"no such file or directory": {Write: []string{filepath.Join(inside, "none")}},
		"is no absolute path":       {Read: []string{"relative"}},
	} {
		spec.Sandbox = sandbox
		made, err := Discovery(spec, quick()).New(plugintest.Env(t, "self@h"), &plugin.Section{})
		if err == nil {
			err = made.Start(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), text) && !errors.Is(err, ErrSandbox) {
			t.Errorf("%s: %v", sandbox, err)
		}
	}
}

// A plugin that has a link in its folder would have its host connect elsewhere.
func TestASymlinkIsNoSocketOfAPlugin(t *testing.T) {
	t.Parallel()
	own, foreign := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(own, "socket"), filepath.Join(foreign, "socket")} {
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
	}
	if err := os.Symlink(filepath.Join(foreign, "socket"), filepath.Join(own, "link")); err != nil {
		t.Fatal(err)
	}
	c := &child{sockets: own}
	if _, _, err := c.PluginToHost("unix", filepath.Join(own, "socket")); err != nil {
		t.Error(err)
	}
	for _, path := range []string{filepath.Join(own, "link"), filepath.Join(own, "none"), filepath.Join(foreign, "socket")} {
		if _, _, err := c.PluginToHost("unix", path); !errors.Is(err, errForeignSocket) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
