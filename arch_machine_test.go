package barrel_test

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// acts lists what is in a pure package and is not pure.
func acts() map[string][]string {
	return map[string][]string{
		"time":           {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
		"fmt":            {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
		"crypto/ed25519": {"GenerateKey"},
	}
}

// madeFromSeed lists the functions of math/rand/v2 that do not use the global source.
func madeFromSeed() []string { return []string{"New", "NewPCG", "NewChaCha8", "NewZipf"} }

func machinesThink(tr *tree) (complaints []string) {
	for _, room := range tr.rooms() {
		if !fits("core/machine/", room) || len(tr.in(room)) == 0 {
			continue
		}
		_, info, err := tr.typed(room)
		if err != nil {
			complaints = append(complaints, fmt.Sprintf("%s does not compile: %v", room, err))
			continue
		}
		for _, f := range tr.in(room) {
			m := machine{tr: tr, info: info, excused: excuses(tr, f.ast), sorted: map[ast.Node]bool{}}
			ast.Inspect(f.ast, m.look)
			complaints = append(complaints, m.complaints...)
		}
	}
	return complaints
}

// excuses lists the lines that say why the order of a map cannot matter, and those
// right below.
func excuses(tr *tree, f *ast.File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "// order: ") {
				lines[tr.line(c)] = true
				lines[tr.fset.Position(group.End()).Line+1] = true
			}
		}
	}
	return lines
}

// machine looks at one file of a machine.
type machine struct {
	tr         *tree
	info       *types.Info
	excused    map[int]bool
	sorted     map[ast.Node]bool // arguments of slices.Sorted and its kin
	complaints []string
}

func (m *machine) complain(n ast.Node, text string) {
	m.complaints = append(m.complaints, m.tr.place(n)+": a machine "+text)
}

func (m *machine) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		m.complain(n, "starts no goroutine")
	case *ast.RangeStmt:
		if isMap(m.info.TypeOf(n.X)) && !m.excused[m.tr.line(n)] {
			m.complain(n, "does not range over a map: sort its keys, or say in a comment \"// order: ...\" why the order cannot matter")
		}
	case *ast.CallExpr:
		m.call(n)
	case *ast.Ident:
		m.use(n)
	}
	return true
}

func (m *machine) use(id *ast.Ident) {
	obj, ok := m.info.Uses[id].(*types.Func)
	if !ok || obj.Pkg() == nil || obj.Signature().Recv() != nil {
		return
	}
	pkg := obj.Pkg().Path()
	switch {
	case slices.Contains(acts()[pkg], obj.Name()):
		m.complain(id, fmt.Sprintf("does not use %s.%s: hand the result in", obj.Pkg().Name(), obj.Name()))
	case pkg == "math/rand/v2" && !slices.Contains(madeFromSeed(), obj.Name()):
		m.complain(id, fmt.Sprintf("does not use rand.%s: hand a *rand.Rand in", obj.Name()))
	}
}

// call finds iterators over maps that are not sorted at once.
func (m *machine) call(call *ast.CallExpr) {
	switch pkg, name := m.callee(call); {
	case pkg == "slices" && strings.HasPrefix(name, "Sorted") && len(call.Args) > 0:
		m.sorted[call.Args[0]] = true
	case pkg == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, name) && !m.sorted[call] && !m.excused[m.tr.line(call)]:
		m.complain(call, fmt.Sprintf("does not use maps.%s unsorted: use slices.Sorted, or say in a comment \"// order: ...\" why the order cannot matter", name))
	}
}

func (m *machine) callee(call *ast.CallExpr) (pkg, name string) {
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	obj := m.info.Uses[selector.Sel]
	if obj == nil || obj.Pkg() == nil {
		return "", ""
	}
	return obj.Pkg().Path(), obj.Name()
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	if p, ok := types.Unalias(t).(*types.TypeParam); ok {
		return strings.Contains(p.Constraint().Underlying().String(), "map[")
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}
