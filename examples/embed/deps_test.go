package main

import (
	"os/exec"
	"strings"
	"testing"
)

// A program that embeds a node without plugins in processes links nothing of what those
// need. Protocol buffers themselves are linked: they are one of the forms in which messages
// between processes travel.
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
		for _, heavy := range []string{"google.golang.org/grpc", "github.com/hashicorp/go-plugin", "github.com/barrelp2p/barrel/core/external"} {
			if strings.HasPrefix(dep, heavy) {
				t.Errorf("examples/embed links %s", dep)
			}
		}
	}
}
