package main

import (
	"encoding/json"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/barrelp2p/barrel/core/admin"
)

// endplugin DATADIR KIND/NAME kills the process of a plugin.
func endPlugin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: endplugin DATADIR KIND/NAME")
	}
	ts.Check(ts.Exec("barrel", "plugin", "list", "-o", "json", "--data-dir", filepath.Clean(args[0])))
	var list []admin.Plugin
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	for _, p := range list {
		if p.Kind+"/"+p.Name == args[1] && p.PID > 0 {
			ts.Check(syscall.Kill(p.PID, syscall.SIGKILL))
			return
		}
	}
	ts.Fatalf("no process of %s", args[1])
}
