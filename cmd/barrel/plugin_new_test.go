package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program runs the program in this process.
func program(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := newApp()
	a.stdout, a.stderr = &out, &complaints
	status = a.run(args)
	return status, out.String(), complaints.String()
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

// The example passes its suite, where Python has grpcio and cryptography.
func TestThePythonExampleKeepsItsPromises(t *testing.T) {
	const needs = "import grpc, google.protobuf, cryptography"
	if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", needs).Run(); err != nil {
		t.Logf("not tried: /usr/bin/python3 cannot %s: apt-get install python3-grpcio python3-protobuf python3-cryptography", needs)
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"plugin.py", "barrel_plugin.py", "build.sh", "inventory.sh"} {
		text, err := os.ReadFile(filepath.Join(pythonExample, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "build.sh")).CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	status, out, complaints := program(t, "plugin", "test", filepath.Join(dir, "discovery-inventory"), "--kind", "discovery",
		"--env", "PATH=/usr/bin:/bin", "--settings", "{command: ["+filepath.Join(dir, "inventory.sh")+"]}",
		"--knows", "b@10.0.0.1=10.0.0.1:9100", "--knows", "c@web2=[fd00::2]:9200")
	if status != 0 || !strings.Contains(out, " 0 broken") || !strings.Contains(out, "it can list, watch") {
		t.Errorf("status %d\n%s%s", status, out, complaints)
	}
}

func TestPluginNewRefuses(t *testing.T) {
	there := t.TempDir()
	for what, args := range map[string][]string{
		"another kind":      {"registry", "mine"},
		"a built-in name":   {"discovery", "dns"},
		"a bad name":        {"discovery", "My Plugin"},
		"a directory":       {"discovery", "mine", "--dir", there},
		"another language":  {"discovery", "mine", "--lang", "cobol", "--dir", filepath.Join(there, "x")},
		"another source":    {"discovery", "mine", "--source", there, "--dir", filepath.Join(there, "y")},
		"a reserved name":   {"trust", "use"},
		"too few arguments": {"discovery"},
	} {
		if status, _, complaints := program(t, append([]string{"plugin", "new"}, args...)...); status != 2 {
			t.Errorf("%s: status %d, %s", what, status, complaints)
		}
	}
}

func TestPluginPin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(file, []byte("hello"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := "command: " + file + "\nsha256: [\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"]\n"
	if status, out, _ := program(t, "plugin", "pin", file); status != 0 || out != want {
		t.Errorf("status %d, %q", status, out)
	}
	if status, _, complaints := program(t, "plugin", "pin", "/no/such/file"); status != 1 || !strings.Contains(complaints, "no such file") {
		t.Errorf("status %d, %s", status, complaints)
	}
}

func TestPluginTestWords(t *testing.T) {
	for _, args := range [][]string{
		{"--kind", "weather"}, {"--kind", "trust", "--like", "mine"}, {"--kind", "trust", "--accepts", "a@h=12"},
		{"--kind", "discovery", "--knows", "a@h"}, {"--kind", "discovery", "--env", "x"}, {},
		{"--kind", "discovery", "--settings", "[1]"}, {"--kind", "discovery", "--settings", "@/no/such/file"},
	} {
		if status, _, complaints := program(t, append([]string{"plugin", "test", "/bin/true"}, args...)...); status != 2 {
			t.Errorf("%v: status %d, %s", args, status, complaints)
		}
	}
}
