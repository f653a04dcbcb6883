package main

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files and the expectations of scripts")
	testscript.Main(withPrograms{m}, map[string]func(){"barrel": main, "broken": beBroken})
}

// withPrograms runs the tests with a folder for the programs that they build.
type withPrograms struct{ *testing.M }

func (m withPrograms) Run() int {
	dir, err := os.MkdirTemp("", "programs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs.dir = dir
	return m.M.Run()
}
