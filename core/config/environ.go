package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

const envPrefix = "BARREL_"

// readEnviron makes a layer of the variables that are settings. A variable of which
// nothing says that it is a setting is left alone: others use the prefix too, such as
// BARREL_SOCKET, and whoever runs a service called barrel in a cluster gets
// BARREL_PORT and the like for free.
func readEnviron(environ []string, root settings.Field) *layer {
	l := newLayer(Origin{Layer: LayerEnvironment, Name: envPrefix + "*"})
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		variable, text, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(variable, envPrefix)
		if !ours {
			continue
		}
		o := Origin{Layer: LayerEnvironment, Name: variable}
		keys := envKeys(rest, root)
		switch _, section := root.Child(keys[0]); {
		case slices.Contains(keys, ""):
			l.add(o, "", "an empty level in the name", "write two underscores between levels, as "+envPrefix+"NODE__NAME")
		case len(keys) > 1 || section:
			l.setText(o, keys, text, root)
		default:
			l.oneUnderscore(o, rest, root)
		}
	}
	return l
}

// envKeys splits a name into keys. A dash cannot be part of a name, so an underscore
// may stand for one.
func envKeys(rest string, root settings.Field) []string {
	keys := strings.Split(strings.ToLower(rest), "__")
	for i := range keys {
		above, ok := lookup(root, keys[:i]...)
		if !ok {
			break
		}
		for _, known := range above.Names() {
			if strings.ReplaceAll(known, "-", "_") == keys[i] {
				keys[i] = known
			}
		}
	}
	return keys
}

// oneUnderscore finds a setting that was meant, with one underscore for a level.
func (l *layer) oneUnderscore(o Origin, rest string, root settings.Field) {
	flat := strings.ToLower(rest)
	walkFields(root, nil, func(keys []string, _ settings.Field) {
		if len(keys) > 1 && strings.ReplaceAll(strings.Join(keys, "_"), "-", "_") == flat {
			right := envPrefix + strings.ToUpper(strings.ReplaceAll(strings.Join(keys, "__"), "-", "_"))
			l.add(o, "", "one underscore does not part levels", fmt.Sprintf("did you mean %q?", right))
		}
	})
}

// walkFields visits everything below a section, outer before inner.
func walkFields(f settings.Field, keys []string, visit func(keys []string, f settings.Field)) {
	for _, child := range f.Fields {
		below := append(slices.Clone(keys), child.Name)
		visit(below, child)
		walkFields(child, below, visit)
	}
}

// setText puts a value that came as text below its keys. A section or a map is opened
// here, so that it is merged with what other layers say instead of replacing it.
func (l *layer) setText(o Origin, keys []string, text string, root settings.Field) {
	if len(keys) > maxDepth {
		l.add(o, "", tooDeep(), "")
		return
	}
	f, known := lookup(root, keys...)
	if !known || f.Kind != settings.KindSection && f.Kind != settings.KindMap {
		l.put(keys, settings.Text(text), o)
		return
	}
	path := joinKeys(keys)
	if strings.TrimSpace(text) == "" {
		return
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		l.add(o, path, fmt.Sprintf("wants a %s, got text", f.Kind), sectionHint(f))
		return
	}
	tree, err := readFlow(text)
	if err != nil {
		l.add(o, path, "cannot be read: "+err.Error(), "write {key: value}")
		return
	}
	if m, ok := tree.(map[string]any); ok {
		l.put(keys, filled(m), o)
	}
}

func sectionHint(f settings.Field) string {
	if f.Kind == settings.KindMap || len(f.Fields) == 0 {
		return "write {key: value}"
	}
	return "write {key: value}, or set one of its keys: " + strings.Join(f.Names(), ", ")
}

// filled leaves out the sections and values with nothing in them.
func filled(m map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range m {
		if below, ok := v.(map[string]any); ok {
			v = filled(below)
			if len(below) == 0 {
				continue
			}
		}
		if v != nil {
			out[key] = v
		}
	}
	return out
}

func joinKeys(keys []string) string {
	path := ""
	for _, key := range keys {
		path = settings.Join(path, key)
	}
	return path
}
