package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

// programs are those that the tests start. Nodes have the race detector if the tests
// have it: the nodes of scripts, of the demo and of the networks. With it a program takes
// twice as long to start, so what is started hundreds of times, does one thing and ends,
// does without: clients of nodes, and plugins, of which the host's side is in the test.
var programs struct {
	dir  string // for what is built
	once sync.Once
	err  error
}

// quickProgram is "barrel" or "broken" without the race detector.
func quickProgram(t plugintest.T, name string) string {
	t.Helper()
	if !raced {
		return lookPath(t, name)
	}
	programs.once.Do(func() { programs.err = buildQuick() })
	if programs.err != nil {
		t.Fatalf("%v", programs.err)
	}
	return filepath.Join(programs.dir, "quick", name)
}

func lookPath(t plugintest.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return path
}

// buildQuick builds these tests again, once for both programs.
func buildQuick() error {
	barrel := filepath.Join(programs.dir, "quick", "barrel")
	out, err := exec.Command("go", "test", "-c", "-race=false", "-ldflags=-s -w", "-o", barrel, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return os.Link(barrel, filepath.Join(programs.dir, "quick", "broken"))
}

// scriptPath is the folder of the "barrel" of scripts, which is one program for nodes and
// one for the rest. What it executes stands below it, as sandboxes want it.
func scriptPath(t plugintest.T) string {
	t.Helper()
	node := lookPath(t, "barrel")
	if !raced {
		return filepath.Dir(node)
	}
	text := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in\nrun | demo) exec %s \"$@\" ;;\n*) exec %s \"$@\" ;;\nesac\n", node, quickProgram(t, "barrel"))
	if err := os.WriteFile(filepath.Join(programs.dir, "barrel"), []byte(text), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	return programs.dir
}
