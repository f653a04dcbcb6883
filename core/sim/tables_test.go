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
	name  string
	nodes int // of the page; what was published is of 10,000, and where every node holds what all have, memory is the bound
	text  func(r round) string
}

func sections(t *testing.T) []section {
	checks := func(r round) string { return checkTable(t, r) }
	return []section{{"hpv", 10000, hyparviewTables}, {"plm", 10000, plumtreeTables}, {"fd", 1000, livenessTables}, {"reg", 500, registryTables}, {"checks", 0, checks}}
}

// TestTables writes the sections into the file that TABLES names; make sim-tables does.
// SECTION is the only one to make, NODES another size for them, SEED another seed.
// Without TABLES it tries them on a small world.
//
//	TABLES=$PWD/docs/simulation.md SECTION=hpv NODES=1000 go test ./core/sim -run '^TestTables$' -timeout 1h
func TestTables(t *testing.T) {
	file, only, r := os.Getenv("TABLES"), os.Getenv("SECTION"), round{seed: uint64(max(number(t, "SEED"), 1)), nodes: number(t, "NODES")}
	r.long = file != ""
	if !r.long {
		t.Parallel()
		file, r.nodes = filepath.Join(t.TempDir(), "simulation.md"), 60
	}
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var page sync.Mutex
	for _, s := range sections(t) {
		if only != "" && only != s.name {
			continue
		}
		all.Go(func() {
			made := s.made(r)
			page.Lock()
			defer page.Unlock()
			text = []byte(replaceSection(string(text), s.name, made))
		})
	}
	all.Wait()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s section) made(r round) string {
	if r.nodes == 0 {
		r.nodes = s.nodes
	}
	start := time.Now()
	defer func() {
		progress("section %-6s of %d nodes  %8s", s.name, r.nodes, time.Since(start).Round(time.Second))
	}()
	return s.text(r)
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
