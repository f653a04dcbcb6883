package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Unknown is the problem of a key that is none of the known ones, in the section at
// a path. Its Path is the section; Place gives the path of the key itself.
func Unknown(section, key string, known []string) plugin.Problem {
	hint := DidYouMean(key, known)
	switch {
	case hint == "" && len(known) == 0:
		hint = "nothing can be set here"
	case hint == "" && len(known) <= 16:
		hint = "known here: " + strings.Join(known, ", ")
	}
	return plugin.Problem{Path: section, Text: fmt.Sprintf("unknown key %q", key), Hint: hint}
}

// Place is the path of the key that a problem is about: Path itself, or for an
// unknown key the path of that key, whose Path is the section it stands in.
func Place(p plugin.Problem) string {
	quoted, ok := strings.CutPrefix(p.Text, "unknown key ")
	if !ok {
		return p.Path
	}
	key, err := strconv.Unquote(quoted)
	if err != nil {
		return p.Path
	}
	return Join(p.Path, key)
}

// DidYouMean is a hint with the nearest of the known words, or "".
func DidYouMean(word string, known []string) string {
	best := Nearest(word, known)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// Nearest is the known word that a person who wrote word most likely meant, or "".
// A wrong letter, one too many or too few, and two swapped count as one mistake each;
// case and the choice of - or _ count nothing.
func Nearest(word string, known []string) string {
	best, least := "", mistakes(len(word))+1
	for _, candidate := range known {
		if n := distance(squash(word), squash(candidate)); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// mistakes is how many we believe of a word of n bytes.
func mistakes(n int) int {
	switch {
	case n > 64:
		return 0 // nobody types that; do not spend time on it
	case n <= 2:
		return 0
	case n <= 5:
		return 1
	case n <= 9:
		return 2
	}
	return 3
}

func squash(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// distance is the edit distance with swapped neighbours as one mistake.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
