package config

import (
	"slices"
	"unicode/utf8"
)

// lines finds positions in a text.
type lines struct {
	text   []byte
	starts []int // the offset of each line
}

func newLines(text []byte) lines {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return lines{text, starts}
}

// position is the line and the column of a byte offset, from 1. A column counts
// characters, or bytes in a line so long that no person wrote it.
func (l lines) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(l.text))
	line, exact := slices.BinarySearch(l.starts, offset)
	if exact {
		line++
	}
	before := l.text[l.starts[line-1]:offset]
	if len(before) > 1000 {
		return line, len(before) + 1
	}
	return line, utf8.RuneCount(before) + 1
}
