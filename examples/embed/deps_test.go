package main

import (
	"os/exec"
	"strings"
	"testing"
)

// A program that embeds a node without plugins in processes links nothing of what those
// need.
func TestEmbeddingLinksNoProcesses(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("a list of %d packages is not that of this program", len(deps))
	}
	for _, dep := range deps {
		for _, heavy := range []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/hashicorp/go-plugin", "github.com/barrelp2p/barrel/core/external"} {
			if strings.HasPrefix(dep, heavy) {
				t.Errorf("examples/embed links %s", dep)
			}
		}
	}
}
