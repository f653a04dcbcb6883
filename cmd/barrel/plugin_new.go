package main

import (
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/wire"
	"github.com/barrelp2p/barrel/plugins"
)

//go:embed scaffold
var scaffold embed.FS

// newPlugin is what the templates of scaffold/ are filled with.
type newPlugin struct {
	Kind, Name, Program string
	Module              string // of a Go plugin
	Go                  string // version of the language
	Requirements        string // of its go.mod
	Complete            bool   // nothing is missing in its go.mod and go.sum
	Settings            string // a section that works, in one line
	Facts               string // flags for barrel plugin test
	Use                 string
	Descriptors         string // for Python
}

func (a *app) pluginNewCommand() *cobra.Command {
	var lang, dir, source string
	cmd := a.leaf("new KIND NAME", "write a plugin that builds, runs and passes its suite as it stands", func(_ context.Context, args []string) error {
		p, err := describeNew(args[0], args[1])
		if err == nil && lang == "go" {
			err = p.require(source, buildVersion().Version)
		}
		if err != nil {
			return err
		}
		if dir == "" {
			dir = p.Program
		}
		if err := p.write(lang, dir, source); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s is written: %s says what to do next\n", dir, filepath.Join(dir, "README.md"))
		return err
	})
	cmd.Flags().StringVar(&lang, "lang", "go", "go or python")
	cmd.Flags().StringVar(&dir, "dir", "", "directory to write; it must not exist (default ./KIND-NAME)")
	cmd.Flags().StringVar(&source, "source", "", "directory with the source of Barrel that a Go plugin is built against; needed unless this barrel is a release")
	_ = cmd.MarkFlagDirname("source")
	return cmd
}

func describeNew(kind, name string) (*newPlugin, error) {
	if plugin.Kind(kind) != plugin.Discovery && plugin.Kind(kind) != plugin.Trust {
		return nil, usage("%q: no kind that is written here: want discovery or trust", kind)
	}
	if name == "" || name == "use" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, usage("%q cannot be the name of a plugin: use lower-case letters, digits and '-'", name)
	}
	if slices.Contains(plugins.All().Names(plugin.Kind(kind)), name) {
		return nil, usage("%s/%s is built in: give yours another name", kind, name)
	}
	descriptors, err := wire.Descriptors()
	if err != nil {
		return nil, err
	}
	p := &newPlugin{
		Kind: kind, Name: name, Program: kind + "-" + name, Module: "example.com/" + kind + "-" + name,
		Descriptors: wrapped(base64.StdEncoding.EncodeToString(descriptors), 110),
		Settings:    "{path: /etc/barrel/nodes}", Facts: "--knows b@10.0.0.1=10.0.0.1:9100", Use: "[" + name + "]",
	}
	if kind == "trust" {
		key := strings.Repeat("5a", 32)
		p.Settings, p.Facts, p.Use = "{keys: {b@10.0.0.1: "+key+"}}", "--accepts b@10.0.0.1="+key, name
	}
	return p, nil
}

func wrapped(text string, width int) string {
	var lines []string
	for chunk := range slices.Chunk([]byte(text), width) {
		lines = append(lines, string(chunk))
	}
	return strings.Join(lines, "\n")
}

// require says what the go.mod needs: a release of Barrel, or its source with all that
// it requires itself.
func (p *newPlugin) require(source, version string) error {
	if source == "" {
		if !isRelease(version) {
			return usage("plugin new: this barrel (%s) is no release that Go could fetch: name the source of Barrel with --source DIR", version)
		}
		p.Go, p.Requirements = "1.26", "\nrequire github.com/barrelp2p/barrel "+version
		return nil
	}
	path, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(path, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module github.com/barrelp2p/barrel\n") {
		return usage("--source %s: this is not the source of Barrel", source)
	}
	_, rest, _ := strings.Cut(string(mod), "\ngo ")
	p.Go, rest, _ = strings.Cut(rest, "\n")
	p.Requirements = "\nrequire github.com/barrelp2p/barrel v0.0.0\n\nreplace github.com/barrelp2p/barrel => " + path + "\n" + rest
	p.Complete = true
	return nil
}

// isRelease is false for what Go calls a build between releases: a commit of some date,
// or one with changes beyond it.
func isRelease(version string) bool {
	return regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) &&
		!regexp.MustCompile(`[.-]\d{14}-[0-9a-f]{12}$`).MatchString(version)
}

// write fills the templates of a language into a directory that must not exist.
func (p *newPlugin) write(lang, dir, source string) error {
	if lang != "go" && lang != "python" {
		return usage("--lang %q: go or python", lang)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return usage("%s exists already: give another --dir", dir)
		}
		return err
	}
	entries, err := fs.ReadDir(scaffold, "scaffold/"+lang)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := p.fill("scaffold/"+lang+"/"+entry.Name(), dir); err != nil {
			return err
		}
	}
	if lang == "go" && source != "" {
		return copyFile(filepath.Join(source, "go.sum"), filepath.Join(dir, "go.sum"))
	}
	return nil
}

// fill writes one template, unless it is that of another kind.
func (p *newPlugin) fill(path, dir string) error {
	name := strings.TrimSuffix(filepath.Base(path), ".tmpl")
	for _, kind := range []string{"discovery", "trust"} {
		switch {
		case strings.HasPrefix(name, kind) && kind != p.Kind, strings.Contains(name, "."+kind+".") && kind != p.Kind:
			return nil
		case strings.Contains(name, "."+kind+"."):
			name = strings.Replace(name, "."+kind, "", 1)
		}
	}
	filled, err := template.ParseFS(scaffold, path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(name, ".sh") {
		mode = 0o755
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	return errors.Join(filled.Execute(file, p), file.Close())
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644) //nolint:gosec // where the user says
}

// pinDocument is the result of plugin pin.
type pinDocument struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

func (a *app) pluginPinCommand() *cobra.Command {
	cmd := a.leaf("pin FILE", "the checksum of a program, as a line of the configuration", func(_ context.Context, args []string) error {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		sum, err := external.Checksum(path)
		if err != nil {
			return err
		}
		return a.show(pinDocument{File: path, SHA256: sum}, [][]string{{"command: " + path}, {`sha256: ["` + sum + `"]`}})
	})
	a.outputFlag(cmd)
	return cmd
}
