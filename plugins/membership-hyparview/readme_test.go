package membershiphyparview

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryAttackIsShown: each row of the table of attacks names tests or scenarios, and they exist.
func TestEveryAttackIsShown(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "| shown by |\n|---|---|---|\n")
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "|\n "), "|")
		if len(cells) != 3 {
			break
		}
		rows++
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("nothing shows what is said of %q", cells[0])
		}
		for _, name := range names {
			if !exists(t, name[1]) {
				t.Errorf("%s: there is no test or scenario %s", strings.TrimSpace(cells[0]), name[1])
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows found", rows)
	}
}

// exists looks for a test in the packages that deal with attacks, or for a scenario.
func exists(t *testing.T, name string) bool {
	t.Helper()
	what := fmt.Sprintf("func %s(t *testing.T)", name)
	if !strings.HasPrefix(name, "Test") {
		what = fmt.Sprintf("{name: %q,", name)
	}
	for _, folder := range []string{".", "../../core/machine/liveness", "../../core/machine/hyparview", "../../core/block/broadcast", "../../core/sim"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), what) {
				return true
			}
		}
	}
	return false
}
