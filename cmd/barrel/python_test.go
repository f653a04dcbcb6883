package main

import (
	"os"
	"os/exec"
	"testing"
)

// needPython skips a test where Python has not what a plugin needs, unless BARREL_PYTHON
// is "required".
func needPython(t *testing.T) {
	t.Helper()
	const needs = "import grpc, google.protobuf, cryptography"
	if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", needs).Run(); err == nil {
		return
	}
	const missing = "/usr/bin/python3 cannot " + needs + ": apt-get install python3-grpcio python3-protobuf python3-cryptography"
	if os.Getenv("BARREL_PYTHON") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
