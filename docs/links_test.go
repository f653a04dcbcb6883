package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// prose is a page without its fenced blocks.
func prose(page string) string {
	var kept []string
	inside := false
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
			inside = !inside
			continue
		}
		if !inside {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// anchors are the names of the headings of a page, as links spell them.
func anchors(page string) []string {
	var all []string
	odd := regexp.MustCompile(`[^\pL\pN _-]`)
	for line := range strings.SplitSeq(prose(page), "\n") {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			all = append(all, strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(heading), ""), " ", "-"))
		}
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, name := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(prose(read(t, name)), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(found[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %s: %v", name, found[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: link %s: no such heading", name, found[1])
			}
		}
	}
}

// TestCommandsExist asks the program about every command that a page mentions.
func TestCommandsExist(t *testing.T) {
	mention := regexp.MustCompile("`(barrel(?: [a-z]+)+)")
	seen := map[string]bool{}
	for _, name := range pages(t) {
		for _, found := range mention.FindAllStringSubmatch(prose(read(t, name)), -1) {
			if seen[found[1]] {
				continue
			}
			seen[found[1]] = true
			if !knows(t, strings.Fields(found[1])[1:]) {
				t.Errorf("%s: there is no %q", name, found[1])
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d commands are mentioned", len(seen))
	}
}

// knows reports whether the help for words is about the first of them at least, and
// about the second if the first has verbs.
func knows(t *testing.T, words []string) bool {
	t.Helper()
	out, err := barrel(t, "", append(slices.Clone(words), "-h")...).CombinedOutput()
	if err != nil {
		return false
	}
	_, help, _ := strings.Cut(string(out), "Usage:")
	help, _, _ = strings.Cut(strings.TrimSpace(help), "\n")
	if !strings.HasPrefix(help, "barrel "+words[0]) {
		return false
	}
	return len(words) < 2 || !strings.Contains(help, "[command]") && !strings.Contains(string(out), "Available Commands:")
}

// TestEveryCommandIsInTheREADME compares the table with what there is.
func TestEveryCommandIsInTheREADME(t *testing.T) {
	out, err := barrel(t, "", "-h").Output()
	if err != nil {
		t.Fatal(err)
	}
	readme := read(t, "../README.md")
	_, list, _ := strings.Cut(string(out), "Usage:")
	for line := range strings.SplitSeq(list, "\n") {
		words := strings.Fields(line)
		if !strings.HasPrefix(line, "  ") || len(words) < 3 || strings.HasPrefix(words[0], "-") || words[0] == "barrel" {
			continue
		}
		if words[0] != "help" && !strings.Contains(readme, "`"+words[0]) {
			t.Errorf("README.md does not mention barrel %s", words[0])
		}
	}
}
