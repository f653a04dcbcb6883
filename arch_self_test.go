package barrel_test

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// sound is a small repository that no rule complains about; each case below breaks one
// thing in it.
func sound() map[string]string {
	return map[string]string{
		"interfaces/name/name.go":    "// Package name is.\npackage name\n",
		"interfaces/trust/trust.go":  "// Package trust is.\npackage trust\nimport \"context\"\n// Plugin decides.\ntype Plugin interface { A(context.Context); B(); C(); D(); E(); F(); G() }\n",
		"interfaces/plugintest/t.go": "// Package plugintest tests.\npackage plugintest\nimport _ \"testing\"\n",
		"core/kernel/kernel.go":      "// Package kernel drives.\npackage kernel\nimport \"errors\"\n// ErrX is.\nvar ErrX = errors.New(\"x\")\nvar _ error = (*e)(nil)\ntype e struct{}\nfunc (*e) Error() string { return \"\" }\n",
		"core/machine/ring/ring.go":  "// Package ring turns.\npackage ring\nimport (\"time\"; \"math/rand/v2\"; \"slices\"; \"maps\")\nfunc f(r *rand.Rand, m map[int]int) (time.Time, []int) {\n// order: addition does not care\nfor range m {}\n_ = rand.New(rand.NewPCG(1, 2))\nreturn time.Unix(int64(r.IntN(2)), 0), slices.Sorted(maps.Keys(m)) }\n",
		"core/block/link/link.go":    "// Package link links.\npackage link\nimport _ \"" + module + "/core/machine/ring\"\n",
		"core/core.go":               "// Package core is the node.\npackage core\nimport _ \"" + module + "/core/kernel\"\n",
		"core/core_test.go":          "package core_test\nimport _ \"" + module + "/plugins/trust-tofu\"\n",
		"plugins/plugins.go":         "// Package plugins lists.\npackage plugins\nimport trusttofu \"" + module + "/plugins/trust-tofu\"\nfunc f() { trusttofu.Factory() }\n",
		"plugins/trust-tofu/tofu.go": "// Package trusttofu trusts.\npackage trusttofu\n// Factory makes.\nfunc Factory() {}\n",
		"plugins/trust-tofu/settings.go": "package trusttofu\n// Settings sets.\ntype Settings struct{}\n" +
			"// Validate checks.\nfunc (Settings) Validate() {}\n",
		"plugins/trust-tofu/tofu_test.go": "package trusttofu\nimport (\"" + module + "/interfaces/plugintest\"; _ \"go.uber.org/goleak\")\nfunc f() { plugintest.Trust() }\n",
		"plugins/trust-tofu/README.md":    "",
		"cmd/barrel/main.go":              "// Command barrel runs.\npackage main\nimport _ \"github.com/spf13/cobra\"\nfunc main() {}\n",
		"examples/hello/main.go":          "// Hello says hello.\npackage main\nimport _ \"" + module + "/core\"\nfunc main() {}\n",
	}
}

func TestEachRuleCatchesWhatItIsFor(t *testing.T) {
	types := exports(t, "context", "errors", "fmt", "io", "maps", "math/rand/v2", "slices", "time", "crypto/ed25519", "testing")
	machine := func(body string) string { return "package ring\n" + body }
	imports := func(pkg, what string) string { return "package " + pkg + "\nimport _ \"" + what + "\"\n" }
	inModule := func(pkg, room string) string { return imports(pkg, module+"/"+room) }
	tests := map[string]struct {
		file, text string // "-" takes the file away
		want       string // the one complaint; "" when there must be none
	}{
		"a sound repository":         {"core/kernel/more.go", "package kernel\n", ""},
		"kernel in a plugin":         {"plugins/trust-tofu/x.go", inModule("trusttofu", "core/kernel"), "plugins/trust-tofu may not import core/kernel (plugins/trust-tofu/x.go)"},
		"block in a block":           {"core/block/link/x.go", inModule("link", "core/block/process"), "core/block/link may not import core/block/process"},
		"kernel in a block":          {"core/block/link/x.go", inModule("link", "core/kernel"), "core/block/link may not import core/kernel"},
		"plugin in core":             {"core/x.go", inModule("core", "plugins/trust-tofu"), "core may not import plugins/trust-tofu"},
		"plugin in a core test":      {"core/x_test.go", inModule("core", "plugins/trust-tofu"), "core may not import plugins/trust-tofu"},
		"plugin in a block's test":   {"core/block/link/x_test.go", inModule("link", "plugins/trust-tofu"), "core/block/link may not import plugins/trust-tofu"},
		"the program in something":   {"core/x.go", inModule("core", "cmd/barrel"), "core may not import cmd/barrel"},
		"a room without a row":       {"extra/x.go", "// Package extra is.\npackage extra\n", "extra is in no row of the table of imports"},
		"a floor above a contract":   {"interfaces/name/x.go", inModule("name", "interfaces/trust"), "interfaces/name may not import interfaces/trust"},
		"a library in a contract":    {"interfaces/name/x.go", imports("name", "github.com/gorilla/mux"), "interfaces/name may not import github.com/gorilla/mux: no room owns it"},
		"a library of somebody else": {"core/x.go", imports("core", "github.com/quic-go/quic-go/http3"), "core may not import github.com/quic-go/quic-go/http3: it belongs to plugins/transport-quic"},
		"a test library":             {"core/x.go", imports("core", "pgregory.net/rapid"), "core may not import pgregory.net/rapid: it is for tests only"},
		"a suite in the program":     {"core/x.go", inModule("core", "interfaces/plugintest"), "core may import interfaces/plugintest in its tests only"},
		"os in a machine":            {"core/machine/ring/x.go", machine("import _ \"os\"\n"), "core/machine/ring may not import os, which is not on the list of pure packages"},
		"a goroutine in a machine":   {"core/machine/ring/x.go", machine("func g() { go g() }\n"), "core/machine/ring/x.go:2: a machine starts no goroutine"},
		"a clock in a machine":       {"core/machine/ring/x.go", machine("import \"time\"\nfunc g() any { return time.Now }\n"), "x.go:3: a machine does not use time.Now"},
		"a clock by another name":    {"core/machine/ring/x.go", machine("import . \"time\"\nfunc g() { Sleep(1) }\n"), "x.go:3: a machine does not use time.Sleep"},
		"global randomness":          {"core/machine/ring/x.go", machine("import \"math/rand/v2\"\nfunc g() int { return rand.IntN(3) }\n"), "x.go:3: a machine does not use rand.IntN"},
		"keys out of nothing":        {"core/machine/ring/x.go", machine("import \"crypto/ed25519\"\nfunc g() { ed25519.GenerateKey(nil) }\n"), "x.go:3: a machine does not use ed25519.GenerateKey"},
		"the order of a map":         {"core/machine/ring/x.go", machine("type t map[int]int\nfunc g(m t) {\nfor range m {}\n}\n"), "x.go:4: a machine does not range over a map"},
		"a map behind a type":        {"core/machine/ring/x.go", machine("func g[M ~map[int]int](m M) {\nfor range m {}\n}\n"), "x.go:3: a machine does not range over a map"},
		"keys without sorting":       {"core/machine/ring/x.go", machine("import (\"maps\"; \"slices\")\nfunc g(m map[int]int) { slices.Collect(maps.Keys(m)) }\n"), "x.go:3: a machine does not use maps.Keys unsorted"},
		"no reason for the order":    {"core/machine/ring/x.go", machine("func g(m map[int]int) {\nfor range m {} // order:\n}\n"), "x.go:3: a machine does not range over a map"},
		"a machine that is broken":   {"core/machine/ring/x.go", machine("func g() { h() }\n"), "core/machine/ring does not compile"},
		"init":                       {"core/x.go", "package core\nfunc init() {}\n", "core/x.go:2: no init"},
		"a package variable":         {"core/x.go", "package core\nvar (\n_ = 1\ntable = map[int]int{}\n)\n", "core/x.go:4: package variable table"},
		"not quite an error":         {"core/x.go", "package core\nvar errand = 1\n", "core/x.go:2: package variable errand"},
		"an embedded file":           {"core/x.go", "package core\nimport _ \"embed\"\n//go:embed x\nvar x string\n", ""},
		"no package comment":         {"core/kernel/kernel.go", "// Some words.\npackage kernel\n", "core/kernel has no package comment that begins with \"Package kernel \""},
		"an undocumented function":   {"core/x.go", "package core\nfunc Run() {}\n", "core/x.go:2: Run has no comment"},
		"an undocumented method":     {"core/x.go", "package core\n// T is.\ntype T[A any] struct{}\nfunc (*T[A]) Run() {}\n", "core/x.go:4: Run has no comment"},
		"an undocumented constant":   {"core/x.go", "package core\nconst (\n\tA = 1\n\tB = 2 // B is two\n)\n", "core/x.go:3: A has no comment"},
		"a hidden method":            {"core/x.go", "package core\ntype t struct{}\nfunc (t) Run() {}\n", ""},
		"the wrong package name":     {"plugins/trust-tofu/x.go", "package tofu\n", "plugins/trust-tofu/x.go is package tofu: it must be trusttofu"},
		"a room called util":         {"core/block/util/x.go", "// Package util is.\npackage util\n", "core/block/util/x.go: the name of its room says nothing"},
		"a skipped test":             {"core/x_test.go", "package core\nfunc f(t T) { t.Skip() }\n", "core/x_test.go:2: a test is not skipped"},
		"a plugin without README":    {"plugins/trust-tofu/README.md", "-", "plugins/trust-tofu has no README.md"},
		"a plugin without suite":     {"plugins/trust-tofu/tofu_test.go", "package trusttofu\n", "plugins/trust-tofu: no test calls plugintest.Trust"},
		"a plugin not in the list":   {"plugins/plugins.go", "// Package plugins lists.\npackage plugins\n", "plugins/trust-tofu is not in plugins/plugins.go: add trusttofu.Factory()"},
		"a plugin of no kind":        {"plugins/tofu/x.go", "// Package tofu is.\npackage tofu\n", "plugins/tofu must be called <kind>-<name>"},
		"a plugin that shows more":   {"plugins/trust-tofu/x.go", "package trusttofu\n// Pin pins.\nfunc Pin() {}\n", "x.go:3: a plugin exports Factory and Settings only, not Pin"},
		"settings in another file":   {"plugins/trust-tofu/tofu.go", "// Package trusttofu trusts.\npackage trusttofu\n// Factory makes.\nfunc Factory() {}\n// Settings sets.\ntype Settings struct{}\n", "tofu.go:6: Settings belong in settings.go"},
		"a long function":            {"core/x.go", "package core\nfunc f() {\n" + strings.Repeat("f()\n", 81) + "}\n", "core/x.go:2: f has 81 lines, at most 80"},
		"a long file":                {"core/x.go", "package core\n" + strings.Repeat("// words\n", 500), "core/x.go has 501 lines, at most 500"},
		"a contract of eight":        {"interfaces/trust/x.go", "package trust\n// Wide is.\ntype Wide interface { Plugin; H() }\n", "interfaces/trust: Wide has 8 methods, at most 7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tr := &tree{fset: token.NewFileSet(), others: map[string]bool{}, imports: types}
			files := sound()
			files[test.file] = test.text
			grow(t, tr, files)
			expectComplaint(t, complaintsOf(tr), test.want)
		})
	}
}

func grow(t *testing.T, tr *tree, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if text == "-" {
			continue
		}
		tr.others[name] = true
		if strings.HasSuffix(name, ".go") {
			if err := tr.add(name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func complaintsOf(tr *tree) (all []string) {
	for _, r := range rules() {
		if !r.whole {
			all = append(all, r.check(tr)...)
		}
	}
	return all
}

// expectComplaint: exactly one complaint, and it contains want. That something does not
// compile because of it does not count.
func expectComplaint(t *testing.T, got []string, want string) {
	t.Helper()
	if len(got) > 1 {
		got = slices.DeleteFunc(got, func(c string) bool { return strings.Contains(c, "does not compile") })
	}
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("complaints %q, want none", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("complaints %q, want one with %q", got, want)
	}
}

// A kernel that grows and functions that all grow take more than one file to show.
func TestBudgetsOverManyFiles(t *testing.T) {
	files := sound()
	for i := range 6 {
		files[fmt.Sprintf("core/kernel/x%d.go", i)] = "package kernel\n" + strings.Repeat("// words\n", 400)
		files[fmt.Sprintf("core/x%d.go", i)] = "package core\n" + strings.Repeat("func f() {\n"+strings.Repeat("f()\n", 11)+"}\n", 5)
	}
	tr := &tree{fset: token.NewFileSet(), others: map[string]bool{}, imports: exports(t, "context", "errors", "maps", "math/rand/v2", "slices", "time")}
	grow(t, tr, files)
	got := strings.Join(complaintsOf(tr), "\n")
	for _, want := range []string{"core/kernel has 24", "the median function has 11 lines, at most 10", "6 of 24 files have more than 250 lines"} {
		if !strings.Contains(got, want) {
			t.Errorf("complaints\n%s\nwant one with %q", got, want)
		}
	}
}

func TestARowForARoomThatIsGone(t *testing.T) {
	tr := &tree{fset: token.NewFileSet(), others: map[string]bool{}}
	grow(t, tr, sound())
	got := strings.Join(staleRows(tr), "\n")
	if !strings.Contains(got, "core/identity has a row in the table of imports and does not exist") || strings.Contains(got, "core/kernel") {
		t.Errorf("complaints\n%s", got)
	}
}
