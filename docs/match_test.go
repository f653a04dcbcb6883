package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// gap stands for any text within a line, and alone on a line for any number of lines.
const gap = "..."

// matchAll reports whether got is what a page shows: every line, with gaps. Spaces
// count as one, because the width of a column depends on what stands in it.
func matchAll(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == gap {
		for skip := range len(got) + 1 {
			if matchAll(want[1:], got[skip:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && matchLine(want[0], got[0]) && matchAll(want[1:], got[1:])
}

// matchSome finds the lines of a page among those of a command that goes on running,
// in order, with others in between. It returns how many lines of got it used up.
func matchSome(want, got []string) (used int, ok bool) {
	for _, line := range want {
		if strings.TrimSpace(line) == gap {
			continue
		}
		for used < len(got) && !matchLine(line, got[used]) {
			used++
		}
		if used == len(got) {
			return 0, false
		}
		used++
	}
	return used, true
}

func matchLine(want, got string) bool {
	parts := strings.Split(oneSpaced(want), gap)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(oneSpaced(got))
}

func oneSpaced(line string) string { return strings.Join(strings.Fields(line), " ") }

// splitLines is text as lines, without the last line's end.
func splitLines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestMatching(t *testing.T) {
	tests := map[string]struct {
		want, got string
		all, some bool
	}{
		"same":               {"a b\nc", "a b\nc", true, true},
		"nothing":            {"", "", true, true},
		"more than shown":    {"a", "a\nb", false, true},
		"less than shown":    {"a\nb", "a", false, false},
		"other":              {"a", "b", false, false},
		"part of a line":     {"a", "ab", false, false},
		"columns":            {"a   b", "  a b", true, true},
		"gap in a line":      {"ready a 127.0.0.1:...", "ready a 127.0.0.1:9100", true, true},
		"no pattern":         {"a.b [c]", "axb c", false, false},
		"gap of lines":       {"a\n...\nd", "a\nb\nc\nd", true, true},
		"gap of no line":     {"a\n...\nd", "a\nd", true, true},
		"gap to the end":     {"a\n...", "a\nb", true, true},
		"wrong end":          {"a\n...\nd", "a\nb", false, false},
		"in another order":   {"a\nb", "b\na", false, false},
		"others in between":  {"a\nc", "x\na\nb\nc", false, true},
		"one line for two":   {"a\na", "a", false, false},
		"gap that goes back": {"...\na\nb", "a\nc\na\nb", true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want, got := splitLines(test.want), splitLines(test.got)
			if all := matchAll(want, got); all != test.all {
				t.Errorf("all: %v", all)
			}
			if _, some := matchSome(want, got); some != test.some {
				t.Errorf("some: %v", some)
			}
		})
	}
}
