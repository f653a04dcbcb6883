// The architecture, as a test: who may import whom, what a machine may not do, what
// every room must have. Each rule is a function from the source tree to the sentences
// it has to complain about.
//
//	arch_test.go          the tree, and the list of rules
//	arch_imports_test.go  who may import whom, one table
//	arch_machine_test.go  what may not be in core/machine
//	arch_shape_test.go    names, comments, variables, budgets, plugin folders
//	arch_self_test.go     each rule catches what it is for
package barrel_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/barrelp2p/barrel"

// rule finds what is wrong with a tree; each complaint begins with a room or a place.
type rule struct {
	name  string
	check func(*tree) []string
	whole bool // makes sense for the whole repository only
}

func rules() []rule {
	return []rule{
		{name: "imports", check: imports},
		{name: "owners of libraries", check: owners},
		{name: "suites in tests only", check: suitesInTests},
		{name: "every row has its room", check: staleRows, whole: true},
		{name: "machines only think", check: machinesThink},
		{name: "no init", check: noInit},
		{name: "no package variables", check: noVariables},
		{name: "package comments", check: packageComments},
		{name: "exported names are documented", check: exportedNames},
		{name: "package names", check: packageNames},
		{name: "no skipped tests", check: noSkips},
		{name: "plugin folders", check: pluginFolders},
		{name: "plugin exports", check: pluginExports},
		{name: "plugins are listed", check: pluginsListed},
		{name: "size of functions", check: functionSizes},
		{name: "size of files", check: fileSizes},
		{name: "size of contracts", check: contractSizes},
		{name: "size of the kernel", check: kernelSize},
	}
}

func TestArchitecture(t *testing.T) {
	repository := loadRepository(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, complaint := range r.check(repository) {
				t.Error(complaint)
			}
		})
	}
}

// tree is the source of a repository.
type tree struct {
	fset    *token.FileSet
	files   []file
	others  map[string]bool // files that are not Go, by path
	imports types.Importer
}

// file is one Go file. Its room is the folder, relative to the module: core/kernel, or
// "." for the root.
type file struct {
	path, room string
	test       bool // *_test.go
	outside    bool // of a package x_test
	generated  bool
	lines      int
	ast        *ast.File
}

func (tr *tree) add(name string, text []byte) error {
	parsed, err := parser.ParseFile(tr.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	tr.files = append(tr.files, file{
		path: name, room: path.Dir(name), ast: parsed,
		test:      strings.HasSuffix(name, "_test.go"),
		outside:   strings.HasSuffix(parsed.Name.Name, "_test"),
		generated: ast.IsGenerated(parsed),
		lines:     tr.fset.File(parsed.Pos()).LineCount(),
	})
	return nil
}

// rooms lists the folders with Go files, sorted.
func (tr *tree) rooms() []string {
	var all []string
	for _, f := range tr.files {
		all = append(all, f.room)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// in lists the files of a room that are not tests.
func (tr *tree) in(room string) []file {
	return tr.where(func(f file) bool { return f.room == room && !f.test })
}

// production lists all files that are not tests.
func (tr *tree) production() []file { return tr.where(func(f file) bool { return !f.test }) }

func (tr *tree) where(want func(file) bool) []file {
	var all []file
	for _, f := range tr.files {
		if want(f) {
			all = append(all, f)
		}
	}
	return all
}

func (tr *tree) line(n ast.Node) int { return tr.fset.Position(n.Pos()).Line }

func (tr *tree) place(n ast.Node) string {
	p := tr.fset.Position(n.Pos())
	p.Column = 0
	return p.String()
}

// typed type-checks a room without its tests.
func (tr *tree) typed(room string) (*types.Package, *types.Info, error) {
	var files []*ast.File
	for _, f := range tr.in(room) {
		files = append(files, f.ast)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	checked, err := (&types.Config{Importer: tr.imports}).Check(module+"/"+room, tr.fset, files, info)
	return checked, info, err
}

// listed is what `go list -json` says of a package.
type listed struct {
	Dir, ImportPath, Export                            string
	GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e"}, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func loadRepository(t *testing.T) *tree {
	t.Helper()
	tr := &tree{fset: token.NewFileSet(), others: map[string]bool{}, imports: exports(t, "./interfaces/...", "./core/machine/...")}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range goList(t, "-json=Dir,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles", "./...") {
		if p.Dir != root { // the root has nothing but this test
			tr.load(t, root, p)
		}
	}
	return tr
}

func (tr *tree) load(t *testing.T, root string, p listed) {
	t.Helper()
	room, err := filepath.Rel(root, p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		tr.others[path.Join(filepath.ToSlash(room), e.Name())] = !e.IsDir()
	}
	for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles, p.IgnoredGoFiles) {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.add(path.Join(filepath.ToSlash(room), name), text); err != nil {
			t.Error(err)
		}
	}
}

// exports reads types from what the compiler left in its cache.
func exports(t *testing.T, patterns ...string) types.Importer {
	t.Helper()
	where := map[string]string{}
	for _, p := range goList(t, append([]string{"-export", "-deps", "-json=ImportPath,Export"}, patterns...)...) {
		where[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if where[path] == "" {
			return nil, errors.New("no such package")
		}
		return os.Open(where[path])
	})
}
