package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// What starts processes in Python does not run beside other tests: they take long to start
// as it is.

// newPython writes a plugin in Python as `barrel plugin new` does; it returns its folder.
func newPython(t *testing.T, kind string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "snake")
	if status, _, complaints := program(t, "plugin", "new", kind, "snake", "--lang", "python", "--dir", dir); status != 0 {
		t.Fatal(complaints)
	}
	return dir
}

// in runs a command in a folder.
func in(t *testing.T, dir string, command ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A new discovery plugin in Python goes the same way on the page docs/processes.md.
func TestANewTrustPluginInPythonKeepsItsPromises(t *testing.T) {
	needPython(t)
	dir := newPython(t, "trust")
	if out, err := in(t, dir, "./build.sh"); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	key := strings.Repeat("5a", 32)
	status, out, complaints := program(t, "plugin", "test", filepath.Join(dir, "trust-snake"), "--kind", "trust",
		"--settings", "{keys: {friend@10.0.0.1: "+key+"}}", "--accepts", "friend@10.0.0.1="+key, "--refuses", "friend@10.0.0.1="+strings.Repeat("22", 32))
	if status != 0 || !strings.Contains(out, " 0 broken") {
		t.Errorf("status %d\n%s%s", status, out, complaints)
	}
}

// The tests that come with a plugin pass, with Python and nothing else.
func TestTheTestsOfANewPluginInPython(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		needPython(t)
	}
	// -I and -S leave out all that is installed, and the folder itself.
	const alone = "import sys, unittest; sys.path.insert(0, '.'); unittest.main(module=None, argv=['tests', 'discover'])"
	for kind, number := range map[string]string{"discovery": "Ran 5 tests", "trust": "Ran 4 tests"} {
		out, err := in(t, newPython(t, kind), "/usr/bin/python3", "-I", "-S", "-c", alone)
		if err != nil || !strings.Contains(out, "\nOK\n") || !strings.Contains(out, number) {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}

// patient is a plugin whose lookups wait for a file, and whose health says how many do.
const patient = `
import os
import threading
import time

from barrel_plugin import NotFound, Plugin, Setting, serve


class Patient(Plugin):
    """Lookups that wait"""

    settings = {"path": Setting(str, "", "they wait for this file")}
    lock, waiting = threading.Lock(), 0

    def lookup(self, node):
        with self.lock:
            Patient.waiting += 1
        while not os.path.exists(self.values["path"]):
            time.sleep(0.05)
        raise NotFound()

    def health(self):
        return "ok", "%d wait" % self.waiting


serve("discovery", "snake", "1", Patient)
`

// A plugin in Python with as many slow calls as a node makes at a time, and more, still
// says how it is.
func TestSlowCallsLeaveRoomForHealthInPython(t *testing.T) {
	needPython(t)
	dir := newPython(t, "discovery")
	if err := os.WriteFile(filepath.Join(dir, "plugin.py"), []byte(patient), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := in(t, dir, "./build.sh"); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	gate := filepath.Join(dir, "gate")
	p := startPatient(t, filepath.Join(dir, "discovery-snake"), gate)
	const most, asked = 256, 300
	var refused atomic.Int64
	ended := make(chan struct{}, asked)
	for range asked {
		go func() {
			if _, err := p.Lookup(t.Context(), name.MustNode("b@10.0.0.1")); err != nil && strings.Contains(err.Error(), "under way already") {
				refused.Add(1)
			}
			ended <- struct{}{}
		}()
	}
	health := p.(plugin.HealthReporter)
	for deadline := time.Now().Add(time.Minute); health.Health().Detail != "256 wait"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("health %+v", health.Health())
		}
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range asked {
		<-ended
	}
	if got := refused.Load(); got != asked-most {
		t.Errorf("%d refused, want %d", got, asked-most)
	}
}

func startPatient(t *testing.T, command, gate string) discovery.Plugin {
	t.Helper()
	env := plugintest.Env(t, "self@10.0.0.1")
	env.Log = slog.New(slog.DiscardHandler)
	spec := external.Spec{Kind: plugin.Discovery, Name: "snake", Command: command, Timeout: time.Minute}
	options := external.Options{Calls: 1000, Misses: 1000, Start: time.Minute} // it is not killed while this machine is slow
	p, err := external.Discovery(spec, options).New(env, &plugin.Section{"path": gate})
	if err == nil {
		err = p.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.WithoutCancel(t.Context())) })
	return p
}

const pythonExample = "../../examples/plugin-discovery-python"

// The Python example has what `barrel plugin new` writes now.
func TestThePythonExampleIsUpToDate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inventory")
	if status, _, complaints := program(t, "plugin", "new", "discovery", "inventory", "--lang", "python", "--dir", dir); status != 0 {
		t.Fatal(complaints)
	}
	for _, name := range []string{"barrel_plugin.py", "build.sh"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(pythonExample, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what plugin new writes: copy it (%v)", name, err)
		}
	}
}

// copyExample puts the Python example where it may be built; it returns its folder.
func copyExample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"plugin.py", "test_plugin.py", "barrel_plugin.py", "build.sh", "inventory.sh"} {
		text, err := os.ReadFile(filepath.Join(pythonExample, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestThePythonExample(t *testing.T) {
	needPython(t)
	dir := copyExample(t)
	if out, err := in(t, dir, "/usr/bin/python3", "-m", "unittest", "-b"); err != nil || !strings.Contains(out, "\nOK\n") || strings.Contains(out, "Ran 0") {
		t.Errorf("its tests: %v\n%s", err, out)
	}
	if out, err := in(t, dir, "./build.sh"); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	status, out, complaints := program(t, "plugin", "test", filepath.Join(dir, "discovery-inventory"), "--kind", "discovery",
		"--env", "PATH=/usr/bin:/bin", "--settings", "{command: ["+filepath.Join(dir, "inventory.sh")+"]}",
		"--knows", "b@10.0.0.1=10.0.0.1:9100", "--knows", "c@web2=[fd00::2]:9200")
	if status != 0 || !strings.Contains(out, " 0 broken") || !strings.Contains(out, "it can list, watch") {
		t.Errorf("status %d\n%s%s", status, out, complaints)
	}
}
