package docs_test

import (
	"os"
	"os/exec"
	"testing"
)

// there reports whether what a block needs beside Go is installed.
func there(t *testing.T, need string) bool {
	t.Helper()
	if need != "python3-grpcio" {
		t.Fatalf("nobody knows how to look for %q", need)
	}
	return exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import grpc, google.protobuf, cryptography").Run() == nil
}

// missing skips what is not installed, unless BARREL_PYTHON says that it has to be.
func missing(t *testing.T, need string) {
	t.Helper()
	if os.Getenv("BARREL_PYTHON") == "required" {
		t.Fatalf("%s is not installed", need)
	}
	t.Skipf("%s is not installed", need)
}
