package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files and the expectations of scripts")
	testscript.Main(m, map[string]func(){"barrel": main, "broken": beBroken})
}
