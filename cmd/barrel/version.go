package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionDocument is what the build says of itself.
type versionDocument struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"` // there were changes beyond the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) versionCommand() *cobra.Command {
	cmd := a.leaf("version", "version, commit and Go version", func(context.Context, []string) error {
		v := buildVersion()
		return a.show(v, versionRows(v))
	})
	a.outputFlag(cmd)
	return cmd
}

func versionRows(v versionDocument) [][]string {
	commit := orDash(v.Commit)
	if v.Modified {
		commit += " (modified)"
	}
	return [][]string{{"barrel", v.Version}, {"commit", commit}, {"go", v.Go}, {"platform", v.Platform}}
}

func buildVersion() versionDocument {
	v := versionDocument{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if tagged := info.Main.Version; tagged != "" && tagged != "(devel)" {
		v.Version = tagged
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
