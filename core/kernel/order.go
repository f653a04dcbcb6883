package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Unit is a part as the kernel drives it.
type Unit struct {
	// Name is unique within the kernel; plugins are kind/name, as trust/tofu.
	Name string
	// Needs names the units that run whenever this one runs: they start before it
	// and stop after it.
	Needs []string
	// Part is what is driven; not nil.
	Part plugin.Part
}

// order sorts units so that each comes after all that it needs. Among those that
// could come next the first of the list does, so the result depends on nothing else.
func order(units []Unit) ([]Unit, error) {
	index, err := indexUnits(units)
	if err != nil {
		return nil, err
	}
	sorted := make([]Unit, 0, len(units))
	placed := make([]bool, len(units))
	for len(sorted) < len(units) {
		next := slices.IndexFunc(units, func(u Unit) bool { return !placed[index[u.Name]] && ready(u, index, placed) })
		if next < 0 {
			return nil, fmt.Errorf("parts need each other in a circle: %s: take one of these needs away",
				strings.Join(circle(units, index, placed), " -> "))
		}
		placed[next] = true
		sorted = append(sorted, units[next])
	}
	return sorted, nil
}

// indexUnits checks everything about units but circles, and reports every problem.
func indexUnits(units []Unit) (map[string]int, error) {
	var problems []error
	index := make(map[string]int, len(units))
	for i, u := range units {
		if _, twice := index[u.Name]; twice {
			problems = append(problems, fmt.Errorf("part %s: given twice: every part needs a name of its own", u.Name))
		}
		index[u.Name] = i
		if u.Name == "" || u.Part == nil {
			problems = append(problems, fmt.Errorf("part %q at position %d: has no name or is nil", u.Name, i))
		}
	}
	for _, u := range units {
		for _, need := range u.Needs {
			if _, known := index[need]; !known {
				problems = append(problems, fmt.Errorf("part %s: needs %q, which is not a part of this node", u.Name, need))
			}
		}
	}
	return index, errors.Join(problems...)
}

func ready(u Unit, index map[string]int, placed []bool) bool {
	return !slices.ContainsFunc(u.Needs, func(need string) bool { return !placed[index[need]] })
}

// circle walks from the first unit that could not be placed along needs that could
// not be placed either, until a name comes again: that loop is the answer.
func circle(units []Unit, index map[string]int, placed []bool) []string {
	at := slices.Index(placed, false)
	var walk []string
	for {
		name := units[at].Name
		if i := slices.Index(walk, name); i >= 0 {
			return append(walk[i:], name)
		}
		walk = append(walk, name)
		need := slices.IndexFunc(units[at].Needs, func(n string) bool { return !placed[index[n]] })
		at = index[units[at].Needs[need]]
	}
}
