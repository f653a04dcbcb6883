package main

import (
	"bytes"
	"os"
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

func TestPluginNewRefuses(t *testing.T) {
	there := t.TempDir()
	for what, args := range map[string][]string{
		"another kind":      {"registry", "mine"},
		"a built-in name":   {"discovery", "dns"},
		"a bad name":        {"discovery", "My Plugin"},
		"a directory":       {"discovery", "mine", "--dir", there, "--lang", "python"},
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

// A plugin in Go is built against a release, or against the source that is named.
func TestAGoPluginNeedsAReleaseOrTheSource(t *testing.T) {
	for _, kind := range []string{"discovery", "trust"} {
		dir := filepath.Join(t.TempDir(), "mine")
		status, out, complaints := program(t, "plugin", "new", kind, "mine", "--dir", dir)
		if status != 2 || out != "" || !strings.Contains(complaints, "no release") || !strings.Contains(complaints, "--source DIR") {
			t.Errorf("%s: status %d, %s%s", kind, status, out, complaints)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was written", kind)
		}
	}
	for version, want := range map[string]bool{
		"v1.2.3": true, "v1.2.3-rc.1": true, "devel": false, "v1.2.3+dirty": false,
		"v0.0.0-20261130141552-cf115fe00000": false, "v1.2.4-0.20261130141552-cf115fe00000": false, "v1.2.3-rc.1.0.20261130141552-cf115fe00000+dirty": false,
	} {
		if isRelease(version) != want {
			t.Errorf("%s: release %v", version, !want)
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
