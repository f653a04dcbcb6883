package config

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// survives loads and looks at everything there is to look at.
func survives(t testing.TB, src Sources, file, text string) {
	t.Helper()
	c, err := load(src, parsed(file, text), testSlots())
	if err == nil {
		c.Show(true)
		c.Document()
		if changed := Diff(c, c); len(changed) > 0 {
			t.Errorf("a configuration differs from itself in %q\n%s", changed, text)
		}
		return
	}
	var all *Problems
	if !errors.As(err, &all) || len(all.List) == 0 {
		t.Errorf("no list of problems: %v\n%s", err, text)
		return
	}
	for _, p := range all.List {
		if p.Text == "" || strings.ContainsAny(p.String(), "\n\x00\x1b") {
			t.Errorf("a problem that says nothing, or more than a line: %+v\n%s", p, text)
		}
		if p.Origin.Layer == LayerFile && (p.Origin.Line < 0 || p.Origin.Column < 0 || p.Origin.Line > lineBreaks(text)+2) {
			t.Errorf("a problem beyond the file: %s\n%s", p, text)
		}
	}
}

// lineBreaks counts what YAML takes for the end of a line.
func lineBreaks(text string) int {
	return len(strings.FieldsFunc("."+strings.NewReplacer("\n", "\n.", "\r", "\n.", "\u0085", "\n.", "\u2028", "\n.", "\u2029", "\n.").Replace(text),
		func(r rune) bool { return r == '\n' })) - 1
}

// TestBrokenConfigurations breaks good files a thousand times and more, in the way of
// careless hands: lost and doubled lines, swapped characters, other punctuation.
func TestBrokenConfigurations(t *testing.T) {
	sample := mustDefaults(t, "") + "\n" + sameYAML[strings.Index(sameYAML, "plugins:"):]
	random := rand.New(rand.NewPCG(2, 7))
	for range 250 {
		survives(t, Sources{}, "node.yaml", broken(random, sample))
		survives(t, Sources{}, "node.yaml", broken(random, sameYAML))
		survives(t, Sources{}, "node.json", broken(random, sameJSON))
		survives(t, Sources{}, "node.toml", broken(random, sameTOML))
		line := broken(random, `discovery.static.nodes."a@10.0.0.1"=[10.0.0.1:9100, {a: "b"}]`)
		survives(t, Sources{Sets: []string{line}, Environ: []string{"BARREL_" + strings.ToUpper(line)}}, "node.yaml", "")
	}
}

func broken(random *rand.Rand, text string) string {
	for range 1 + random.IntN(4) {
		text = breakOnce(random, text)
	}
	return text
}

func breakOnce(random *rand.Rand, text string) string {
	if text == "" {
		return "\x00"
	}
	at := random.IntN(len(text))
	to := min(len(text), at+1+random.IntN(12))
	const odd = ":-[]{}\"'#&*!|>%@`,?=.~\t\n \x00\xff09aé"
	switch random.IntN(6) {
	case 0:
		return text[:at] + text[to:]
	case 1:
		return text[:to] + text[at:]
	case 2:
		i := random.IntN(len(odd))
		return text[:at] + odd[i:i+1] + text[at:]
	case 3:
		i := random.IntN(len(odd))
		return text[:at] + odd[i:i+1] + text[min(at+1, len(text)):]
	case 4:
		lines := strings.SplitAfter(text, "\n")
		i, j := random.IntN(len(lines)), random.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return strings.Join(lines, "")
	}
	return text[:at] + fmt.Sprint(random.Int64()-1<<62) + text[to:]
}

func FuzzLoad(f *testing.F) {
	const yaml, json, toml = 0, 1, 2
	f.Add(byte(yaml), mustDefaults(f, "discovery"), "auth.cookie=x", "BARREL_DISCOVERY__USE=static,dns")
	f.Add(byte(yaml), sameYAML, `discovery.static.nodes."a@b"=h:1`, "BARREL_LOG={level: debug}")
	f.Add(byte(yaml), "a: &a [*a]\n<<: *a\n", "x", "BARREL_A__B=[")
	f.Add(byte(json), sameJSON, "a.b.c=[1, {2: 3}]", "BARREL_PLUGINS={a/b: {command: x}}")
	f.Add(byte(toml), sameTOML, "links.sweep=5", "BARREL_LINKS__SWEEP=5")
	f.Add(byte(toml), "[[a.b]]\n[a.b.c]\nd=[{e=1}]\n[[a.b]]\n", "", "")
	files := []string{"node.yaml", "node.json", "node.toml"}
	f.Fuzz(func(t *testing.T, format byte, text, set, env string) {
		if len(text) > 4096 || len(set) > 512 || len(env) > 512 {
			return
		}
		survives(t, Sources{Sets: []string{set}, Environ: []string{env}}, files[int(format)%len(files)], text)
	})
}
