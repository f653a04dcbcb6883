// Package docs_test reads the pages for users and does what they say: every command is
// typed into a shell, with what it prints compared; every configuration is checked;
// every piece of Go is vetted. A page that is wrong fails here.
//
//	docs_test.go      the pages, and what is done with each sort of block
//	block_test.go     how a page is taken apart, and what its blocks may say
//	console_test.go   terminals: commands that end and commands that go on running
//	match_test.go     what a page shows against what a command prints
//	python_test.go    what blocks need beside Go
//	links_test.go     links between pages, and the names of commands
//	generated_test.go the parts of pages that the program writes
//
//	go test ./docs -run TestPages/tutorial      one page
//	go test ./docs -run TestGenerated -update   write what the program writes
package docs_test

import (
	"crypto/sha256"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tools are what the pages are tried with.
type tools struct {
	root string   // of the repository
	bin  string   // folder of the program
	env  []string // of every command
}

// built is the program, built once for all tests.
var built tools

func TestMain(m *testing.M) {
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildAndRun(m *testing.M) (int, error) {
	bin, err := makeDir()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(bin)
	root, err := filepath.Abs("..")
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("go", "build", "-ldflags=-s", "-o", filepath.Join(bin, "barrel"), root+"/cmd/barrel").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	built = tools{root: root, bin: bin, env: append(environment(bin), "BARREL_SOURCE="+root)}
	return m.Run(), nil
}

// makeDir makes a folder whose path leaves room for the name of a socket.
func makeDir() (string, error) {
	parent := os.TempDir()
	if len(parent) > 40 {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "docs")
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// barrel is one run of the program.
func barrel(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(built.bin, "barrel"), args...)
	cmd.Dir, cmd.Env = dir, built.env
	return cmd
}

// pages lists the pages for users.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*.md")
	if err != nil || len(found) < 5 {
		t.Fatalf("pages %v, %v", found, err)
	}
	return append([]string{"../README.md", "../examples/README.md"}, found...)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPages(t *testing.T) {
	for _, name := range pages(t) {
		title := strings.TrimSuffix(strings.ReplaceAll(strings.TrimPrefix(name, "../"), "/", "-"), ".md")
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			tryPage(t, name)
		})
	}
}

// tryPage does what the blocks of a page say, in a folder of the page's own.
func tryPage(t *testing.T, name string) {
	t.Helper()
	blocks, err := parseBlocks(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	terminals := newTerminals(t, dir)
	program := module{dir: dir}
	untyped := false // what commands would have made is not there
	for _, b := range blocks {
		if wrong := b.wrong(); wrong != "" {
			t.Errorf("line %d: %s", b.line, wrong)
			continue
		}
		if need := b.value("needs"); need != "" && !there(t, need) {
			t.Run(fmt.Sprint("line ", b.line), func(t *testing.T) { missing(t, need) })
			continue
		}
		switch {
		case untyped && b.kind == "yaml":
		case b.kind == "yaml":
			checkConfig(t, dir, b)
		case testing.Short(): // what follows takes seconds
			untyped = untyped || b.kind == "console"
		case b.kind == "console":
			terminals.run(t, b)
		case b.kind == "go":
			program.add(t, b)
		}
	}
	program.vet(t)
}

// checkConfig gives a block to `barrel config check`. With a name it stays for the
// commands that follow.
func checkConfig(t *testing.T, dir string, b block) {
	t.Helper()
	name := b.value("file")
	if name == "" {
		name = "node.yaml"
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(installed(t, b.text())), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := barrel(t, dir, "config", "check", "-c", name).CombinedOutput()
	if refused := err != nil; refused != b.has("wrong") {
		t.Errorf("line %d: the configuration: %v\n%s", b.line, err, out)
	}
}

// installed is a text in which the program stands where the tests have it, with its
// checksum, because a configuration that uses it as a plugin is checked by asking it.
func installed(t *testing.T, text string) string {
	t.Helper()
	const path, sum = "/usr/bin/barrel", "9f2c000000000000000000000000000000000000000000000000000000000000"
	if !strings.Contains(text, path) {
		return text
	}
	program := filepath.Join(built.bin, "barrel")
	image, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(path, program, sum, fmt.Sprintf("%x", sha256.Sum256(image))).Replace(text)
}

// module is a Go module of a page's own that requires this one, as the program of an
// embedder does.
type module struct {
	dir   string
	files int
}

// add puts a block into the module.
func (m *module) add(t *testing.T, b block) {
	t.Helper()
	if m.files++; m.files == 1 {
		m.begin(t)
	}
	if formatted, err := format.Source([]byte(b.text())); err != nil || string(formatted) != b.text() {
		t.Errorf("line %d: gofmt would write (%v):\n%s", b.line, err, formatted)
	}
	name := filepath.Join(m.dir, filepath.FromSlash(b.value("file")))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(b.text()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// begin writes go.mod with the requirements of this module, so that nothing has to be
// fetched.
func (m *module) begin(t *testing.T) {
	t.Helper()
	mod := strings.Replace(read(t, "../go.mod"), "module github.com/barrelp2p/barrel", "module example.com/mine", 1)
	mod += "\nrequire github.com/barrelp2p/barrel v0.0.0\nreplace github.com/barrelp2p/barrel => " + built.root + "\n"
	for name, text := range map[string]string{"go.mod": mod, "go.sum": read(t, "../go.sum")} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// vet compiles and vets all Go of the page, tests included.
func (m *module) vet(t *testing.T) {
	t.Helper()
	if m.files == 0 {
		return
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "./...")
	cmd.Dir, cmd.Env = m.dir, built.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// TestPluginPages checks the configurations in the pages of the plugins.
func TestPluginPages(t *testing.T) {
	names, err := filepath.Glob("../plugins/*/README.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("pages %v, %v", names, err)
	}
	dir := shortDir(t)
	for _, name := range names {
		t.Run(filepath.Base(filepath.Dir(name)), func(t *testing.T) {
			blocks, err := parseBlocks(read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range blocks {
				if b.kind == "yaml" {
					checkConfig(t, dir, b)
				}
			}
		})
	}
}
