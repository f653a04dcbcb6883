package barrel_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func noInit(tr *tree) (complaints []string) {
	for _, f := range tr.where(func(f file) bool { return !f.generated }) {
		for _, fn := range functions(f) {
			if fn.Name.Name == "init" && fn.Recv == nil {
				complaints = append(complaints, tr.place(fn)+": no init: call it from where it is needed")
			}
		}
	}
	return complaints
}

func functions(f file) []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			all = append(all, fn)
		}
	}
	return all
}

// specs calls see for each specification of the declarations of one sort, with the
// comment that counts as its own.
func specs(f file, tok token.Token, see func(spec ast.Spec, doc *ast.CommentGroup)) {
	for _, d := range f.ast.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == tok {
			for _, s := range g.Specs {
				see(s, g.Doc)
			}
		}
	}
}

func noVariables(tr *tree) (complaints []string) {
	for _, f := range tr.where(func(f file) bool { return !f.test && !f.generated }) {
		specs(f, token.VAR, func(s ast.Spec, doc *ast.CommentGroup) {
			v, ok := s.(*ast.ValueSpec)
			if !ok || embedded(v.Doc) || embedded(doc) {
				return
			}
			for _, name := range v.Names {
				if !mayBeVariable(name.Name) {
					complaints = append(complaints, fmt.Sprintf("%s: package variable %s: only errors are; make it a function or a field", tr.place(name), name.Name))
				}
			}
		})
	}
	return complaints
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// mayBeVariable: errors and assertions.
func mayBeVariable(name string) bool {
	rest, isErr := strings.CutPrefix(name, "Err")
	if !isErr {
		rest, isErr = strings.CutPrefix(name, "err")
	}
	first, _ := utf8.DecodeRuneInString(rest)
	return name == "_" || isErr && unicode.IsUpper(first)
}

func packageComments(tr *tree) (complaints []string) {
	for _, room := range tr.rooms() {
		files := tr.in(room)
		if len(files) == 0 {
			continue
		}
		pkg := files[0].ast.Name.Name
		documented := slices.ContainsFunc(files, func(f file) bool {
			return f.ast.Doc != nil && (pkg == "main" || strings.HasPrefix(f.ast.Doc.Text(), "Package "+pkg+" "))
		})
		if !documented {
			complaints = append(complaints, fmt.Sprintf("%s has no package comment that begins with \"Package %s \"", room, pkg))
		}
	}
	return complaints
}

func exportedNames(tr *tree) (complaints []string) {
	for _, f := range tr.production() {
		if f.generated || f.ast.Name.Name == "main" {
			continue
		}
		for _, name := range undocumented(f) {
			complaints = append(complaints, fmt.Sprintf("%s: %s has no comment", tr.place(name), name.Name))
		}
	}
	return complaints
}

func undocumented(f file) (names []*ast.Ident) {
	for _, fn := range functions(f) {
		if fn.Doc == nil && fn.Name.IsExported() && exportedReceiver(fn) {
			names = append(names, fn.Name)
		}
	}
	specs(f, token.TYPE, func(s ast.Spec, doc *ast.CommentGroup) {
		if t, ok := s.(*ast.TypeSpec); ok && doc == nil && t.Doc == nil && t.Name.IsExported() {
			names = append(names, t.Name)
		}
	})
	values := func(s ast.Spec, doc *ast.CommentGroup) {
		if v, ok := s.(*ast.ValueSpec); ok && doc == nil && v.Doc == nil && v.Comment == nil {
			names = append(names, slices.DeleteFunc(slices.Clone(v.Names), func(n *ast.Ident) bool { return !n.IsExported() })...)
		}
	}
	specs(f, token.CONST, values)
	specs(f, token.VAR, values)
	return names
}

func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func packageNames(tr *tree) (complaints []string) {
	nobody := []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "models", "shared", "base"}
	for _, f := range tr.files {
		want := strings.ReplaceAll(path.Base(f.room), "-", "")
		if fits("cmd/", f.room) || fits("examples/", f.room) {
			want = "main"
		}
		if got := strings.TrimSuffix(f.ast.Name.Name, "_test"); got != want {
			complaints = append(complaints, fmt.Sprintf("%s is package %s: it must be %s", f.path, f.ast.Name.Name, want))
		}
		if slices.Contains(nobody, path.Base(f.room)) {
			complaints = append(complaints, f.path+": the name of its room says nothing")
		}
	}
	return complaints
}

// skips reports whether a file may skip tests, because it asks for what Go does not bring
// along: networks of the machine's own, and Python. Each has a variable that demands it.
func skips(path string) bool {
	return slices.Contains([]string{"cmd/barrel/network_test.go", "cmd/barrel/python_test.go", "docs/python_test.go"}, path)
}

func noSkips(tr *tree) (complaints []string) {
	for _, f := range tr.where(func(f file) bool { return f.test && !skips(f.path) }) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
				complaints = append(complaints, tr.place(s)+": a test is not skipped")
			}
			return true
		})
	}
	return complaints
}

// pluginRooms lists plugins/<kind>-<name>.
func pluginRooms(tr *tree) []string {
	return slices.DeleteFunc(tr.rooms(), func(room string) bool { return !fits("plugins/", room) })
}

func pluginFolders(tr *tree) (complaints []string) {
	for _, room := range pluginRooms(tr) {
		kind, name, _ := strings.Cut(path.Base(room), "-")
		if name == "" {
			complaints = append(complaints, room+" must be called <kind>-<name>")
			continue
		}
		suite := strings.ToUpper(kind[:1]) + kind[1:]
		if !tr.others[path.Join(room, "README.md")] {
			complaints = append(complaints, room+" has no README.md")
		}
		if !callsSuite(tr, room, suite) {
			complaints = append(complaints, fmt.Sprintf("%s: no test calls plugintest.%s", room, suite))
		}
	}
	return complaints
}

func callsSuite(tr *tree, room, suite string) bool {
	return slices.ContainsFunc(tr.files, func(f file) bool { return f.test && f.room == room && mentions(f, "plugintest", suite) })
}

// mentions reports whether a file has x.name.
func mentions(f file, x, name string) (found bool) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			id, ok := s.X.(*ast.Ident)
			found = found || ok && id.Name == x
		}
		return !found
	})
	return found
}

// offered lists what a plugin room may export.
func offered(room string) []string {
	if room == "plugins/transport-memory" {
		// Nodes of one process meet on a network; there being no globals, whoever
		// puts them together makes it.
		return []string{"Factory", "Settings", "Network", "NewNetwork"}
	}
	if room == "plugins/transport-quic" {
		// The same transport on packets that are not a UDP socket's: an in-memory
		// network under a virtual clock.
		// NewVia is the seam for tunnels and relays.
		return []string{"Factory", "Settings", "NewOn", "NewVia", "Path"}
	}
	return []string{"Factory", "Settings"}
}

func pluginExports(tr *tree) (complaints []string) {
	for _, f := range tr.production() {
		if !fits("plugins/", f.room) {
			continue
		}
		for _, name := range exported(f) {
			if !slices.Contains(offered(f.room), name.Name) {
				complaints = append(complaints, fmt.Sprintf("%s: a plugin exports Factory and Settings only, not %s", tr.place(name), name.Name))
			}
			if name.Name == "Settings" && path.Base(f.path) != "settings.go" {
				complaints = append(complaints, tr.place(name)+": Settings belong in settings.go")
			}
		}
	}
	return complaints
}

func exported(f file) (names []*ast.Ident) {
	for _, fn := range functions(f) {
		if fn.Recv == nil && fn.Name.IsExported() {
			names = append(names, fn.Name)
		}
	}
	for _, tok := range []token.Token{token.TYPE, token.CONST, token.VAR} {
		specs(f, tok, func(s ast.Spec, _ *ast.CommentGroup) {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		})
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

func pluginsListed(tr *tree) (complaints []string) {
	for _, room := range pluginRooms(tr) {
		if !strings.Contains(path.Base(room), "-") {
			continue // pluginFolders has said so
		}
		pkg := strings.ReplaceAll(path.Base(room), "-", "")
		listed := slices.ContainsFunc(tr.in("plugins"), func(f file) bool {
			return path.Base(f.path) == "plugins.go" && mentions(f, pkg, "Factory")
		})
		if !listed {
			complaints = append(complaints, fmt.Sprintf("%s is not in plugins/plugins.go: add %s.Factory()", room, pkg))
		}
	}
	return complaints
}

// bodyLines is the number of lines between the braces.
func bodyLines(tr *tree, fn *ast.FuncDecl) int {
	if fn.Body == nil {
		return 0
	}
	return max(0, tr.fset.Position(fn.Body.Rbrace).Line-tr.fset.Position(fn.Body.Lbrace).Line-1)
}

func functionSizes(tr *tree) (complaints []string) {
	const most, median = 80, 10
	var sizes []int
	for _, f := range tr.production() {
		if f.generated {
			continue
		}
		for _, fn := range functions(f) {
			n := bodyLines(tr, fn)
			sizes = append(sizes, n)
			if n > most {
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, at most %d: name its steps", tr.place(fn), fn.Name.Name, n, most))
			}
		}
	}
	slices.Sort(sizes)
	if len(sizes) > 0 && sizes[len(sizes)/2] > median {
		complaints = append(complaints, fmt.Sprintf("the median function has %d lines, at most %d", sizes[len(sizes)/2], median))
	}
	return complaints
}

func fileSizes(tr *tree) (complaints []string) {
	const most, usual = 500, 250
	files := slices.DeleteFunc(tr.production(), func(f file) bool { return f.generated })
	long := 0
	for _, f := range files {
		if f.lines > usual {
			long++
		}
		if f.lines > most {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, at most %d: split it by concern", f.path, f.lines, most))
		}
	}
	if long > len(files)/5 && long > 1 {
		complaints = append(complaints, fmt.Sprintf("%d of %d files have more than %d lines, at most a fifth may", long, len(files), usual))
	}
	return complaints
}

func contractSizes(tr *tree) (complaints []string) {
	const most = 7
	for _, room := range tr.rooms() {
		if !fits("interfaces/", room) || fits("interfaces/proto/", room) || room == suites || len(tr.in(room)) == 0 {
			continue
		}
		pkg, _, err := tr.typed(room)
		if err != nil {
			complaints = append(complaints, fmt.Sprintf("%s does not compile: %v", room, err))
			continue
		}
		for _, name := range pkg.Scope().Names() {
			i, ok := pkg.Scope().Lookup(name).Type().Underlying().(*types.Interface)
			if ok && i.NumMethods() > most {
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d methods, at most %d: make the rest an optional ability", room, name, i.NumMethods(), most))
			}
		}
	}
	return complaints
}

func kernelSize(tr *tree) []string {
	const most = 1500
	sum := 0
	for _, f := range tr.in("core/kernel") {
		sum += f.lines
	}
	if sum > most {
		return []string{fmt.Sprintf("core/kernel has %d lines, at most %d: something in it is not the kernel's business", sum, most)}
	}
	return nil
}
