package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Layer is where a value comes from; a larger one wins.
type Layer int

// The layers, in order.
const (
	LayerDefault Layer = iota
	LayerFile
	LayerEnvironment
	LayerFlag
)

// Origin is the place of a key: a position in the file, a variable, or a flag. The
// zero Origin is the defaults.
type Origin struct {
	Layer  Layer
	Name   string // the file, the variable, or the flag with its key
	Line   int    // in the file, from 1; 0 if unknown
	Column int    // in the line, from 1; 0 if unknown

	section bool // the key only leads to others
	quoted  bool // the value stands in quotes
}

// quotable is true where quotes around a value may be what is wrong with it. In a
// variable or a flag they never are, and in YAML text needs none.
func (o Origin) quotable() bool {
	if o.Layer != LayerFile {
		return false
	}
	return o.quoted || !isYAML(o.Name)
}

// String is `default`, `node.yaml:4:5`, `environment BARREL_X__Y` or `flag --set x.y`.
func (o Origin) String() string {
	switch {
	case o.Layer == LayerDefault:
		return "default"
	case o.Layer == LayerEnvironment:
		return "environment " + o.Name
	case o.Layer == LayerFlag:
		return "flag " + o.Name
	case o.Line == 0:
		return o.Name
	case o.Column == 0:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	}
	return fmt.Sprintf("%s:%d:%d", o.Name, o.Line, o.Column)
}

// Problem is one thing wrong with a configuration.
type Problem struct {
	Origin Origin // where it is written
	Path   string // the full key path; empty if it is about the whole
	Text   string // the fact
	Hint   string // the next step, or empty
}

// String is one line: place, key path, fact, next step.
func (p Problem) String() string {
	var b strings.Builder
	if p.Origin.Layer != LayerDefault {
		b.WriteString(p.Origin.String() + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return printable(b.String())
}

// printable keeps a problem on its line whatever was in a value.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Problems is the error of Load: all that is wrong, in the order of the places. It has
// at least one problem.
type Problems struct{ List []Problem }

// Error is one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, one := range p.List {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// problemsOf sorts and drops what is said twice; nil if there are none.
func problemsOf(list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Origin.Layer, b.Origin.Layer),
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Origin.Column, b.Origin.Column),
			cmp.Compare(a.Origin.Name, b.Origin.Name),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return &Problems{List: slices.Compact(list)}
}
