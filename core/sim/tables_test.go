package sim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// section is a part of docs/simulation.md that is made by the code: what stands between
// its two marks.
type section struct {
	name string
	text func(r round) string
}

func sections() []section {
	return []section{{"hpv", hyparviewTables}, {"plm", plumtreeTables}, {"fd", livenessTables}, {"reg", registryTables}}
}

// TestTables writes the sections into the file that TABLES names, of NODES nodes and
// with SEED; make sim-tables does. Without TABLES it tries them on a small world.
//
//	TABLES=$PWD/docs/simulation.md NODES=10000 go test ./core/sim -run '^TestTables$' -timeout 1h
func TestTables(t *testing.T) {
	file, r := os.Getenv("TABLES"), round{seed: uint64(max(number(t, "SEED"), 1)), nodes: number(t, "NODES")}
	if r.nodes == 0 {
		r.nodes = 10000
	}
	r.long = file != ""
	if !r.long {
		t.Parallel()
		file, r.nodes = filepath.Join(t.TempDir(), "simulation.md"), 60
	}
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text := string(old)
	made := make([]string, len(sections()))
	var all sync.WaitGroup
	for i, s := range sections() {
		all.Go(func() {
			start := time.Now()
			made[i] = s.text(r)
			progress("section %-4s of %d nodes  %8s", s.name, r.nodes, time.Since(start).Round(time.Second))
		})
	}
	all.Wait()
	for i, s := range sections() {
		text = replaceSection(text, s.name, made[i])
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replaceSection puts a text between the marks of its name, or at the end with marks.
func replaceSection(text, name, section string) string {
	begin, end := fmt.Sprintf("<!-- %s: made by make sim-tables -->\n", name), fmt.Sprintf("<!-- %s: end -->\n", name)
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		before, after = strings.TrimLeft(strings.TrimRight(text, "\n")+"\n\n", "\n"), ""
	}
	return before + begin + "\n" + section + "\n" + end + after
}

func TestReplaceSection(t *testing.T) {
	once := replaceSection("# Title\n", "x", "one\n")
	twice := replaceSection(once+"\nafter\n", "x", "two\n")
	if want := strings.Replace(once, "one", "two", 1) + "\nafter\n"; twice != want {
		t.Errorf("got %q, want %q", twice, want)
	}
}

// table is Markdown: a row of heads, then rows.
type table struct{ strings.Builder }

func newTable(heads ...string) *table {
	t := &table{}
	t.row(heads...)
	t.row(strings.Split(strings.Repeat("---,", len(heads)-1)+"---", ",")...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | ")) }
