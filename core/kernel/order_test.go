package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOrder(t *testing.T) {
	tests := map[string]struct {
		units string // name:need,need ...
		want  string // the order, or after "error" what the error says
	}{
		"no units":                {"", ""},
		"no needs keep the list":  {"c a b", "c a b"},
		"needs first":             {"link:transport transport", "transport link"},
		"others keep their place": {"a:c b c d", "b c a d"},
		"a diamond":               {"top:left,right left:base right:base base", "base left right top"},
		"a need named twice":      {"a:b,b b", "b a"},
		"unknown need":            {"a:nobody b", `error part a: needs "nobody", which is not a part`},
		"all unknown needs":       {"a:x b:y", `error part b: needs "y"`},
		"given twice":             {"a b a", "error part a: given twice"},
		"needs itself":            {"a:a", "error in a circle: a -> a: "},
		"a circle of three":       {"z:a a:b b:c c:a", "error in a circle: a -> b -> c -> a: "},
		"a circle behind others":  {"x y:x p:q q:p,x", "error in a circle: p -> q -> p: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := New(Options{})
			err := k.Assemble(parseUnits(test.units)...)
			if text, wantError := strings.CutPrefix(test.want, "error "); wantError {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("error %v, want one with %q", err, text)
				}
				return
			}
			if got := strings.Join(k.Order(), " "); err != nil || got != test.want {
				t.Errorf("order %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func parseUnits(text string) []Unit {
	var units []Unit
	d := &diary{}
	for word := range strings.FieldsSeq(text) {
		name, needs, _ := strings.Cut(word, ":")
		units = append(units, d.unit(name, strings.FieldsFunc(needs, func(r rune) bool { return r == ',' })...))
	}
	return units
}

func TestAUnitMustHaveANameAndAPart(t *testing.T) {
	d := &diary{}
	err := New(Options{}).Assemble(d.unit("a"), Unit{Name: "hollow"}, d.unit(""))
	for _, want := range []string{`part "hollow" at position 1`, `part "" at position 2`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// drawUnits draws a set of parts whose needs have no circle, in any order.
func drawUnits(t *rapid.T, d *diary) []Unit {
	n := rapid.IntRange(0, 12).Draw(t, "parts")
	units := make([]Unit, n)
	for i := range n {
		units[i] = d.unit(fmt.Sprintf("p%d", i))
		for j := range i {
			if rapid.Bool().Draw(t, "needs") {
				units[i].Needs = append(units[i].Needs, units[j].Name)
			}
		}
	}
	return rapid.Permutation(units).Draw(t, "list")
}

func TestAnyPartsStartAfterTheirNeedsAndStopInReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &diary{}
		units := drawUnits(t, d)
		k := New(Options{})
		if err := k.Assemble(units...); err != nil {
			t.Fatal(err)
		}
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkDiary(t, d.read(), units, k.Order())
	})
}

func checkDiary(t *rapid.T, lines []string, units []Unit, order []string) {
	started, stopped := lines[:len(units)], lines[len(units):]
	slices.Reverse(stopped)
	for i, name := range order {
		if started[i] != "+"+name || stopped[i] != "-"+name {
			t.Fatalf("order %v, but started %v and stopped, in reverse, %v", order, started, stopped)
		}
	}
	for _, u := range units {
		for _, need := range u.Needs {
			if slices.Index(order, need) > slices.Index(order, u.Name) {
				t.Fatalf("%s needs %s, but the order is %v", u.Name, need, order)
			}
		}
	}
}
