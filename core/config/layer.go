package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// delimiter parts the levels of a key inside koanf. Node names have dots and plugins
// slashes, so it is a character that no key may have: see goodKey.
const delimiter = "\x1f"

// layer is what one source says, and where it says it.
type layer struct {
	origin   Origin // of the source as a whole
	values   map[string]any
	origins  map[string]Origin // by key path
	problems []Problem
}

func newLayer(origin Origin) *layer {
	return &layer{origin: origin, values: map[string]any{}, origins: map[string]Origin{}}
}

// at is a position in the file of this layer.
func (l *layer) at(line, column int) Origin {
	o := l.origin
	o.Line, o.Column = line, column
	return o
}

func (l *layer) add(o Origin, path, text, hint string) {
	l.problems = append(l.problems, Problem{o, path, text, hint})
}

// goodKey refuses keys that koanf would take apart, and that nobody could read.
func (l *layer) goodKey(o Origin, path, key string) bool {
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		l.add(o, path, fmt.Sprintf("the key %q has a control character", key), "")
		return false
	}
	return true
}

// put sets a value below a path of keys, making the sections on the way. A map is
// merged into what is there.
func (l *layer) put(keys []string, value any, o Origin) {
	m, path := l.values, ""
	for _, key := range keys[:len(keys)-1] {
		path = settings.Join(path, key)
		m = l.sectionIn(m, key, path, o)
	}
	key := keys[len(keys)-1]
	fresh, isMap := value.(map[string]any)
	if _, exists := m[key].(map[string]any); exists && isMap {
		for _, below := range slices.Sorted(maps.Keys(fresh)) {
			l.put(append(slices.Clone(keys), below), fresh[below], o)
		}
		return
	}
	m[key] = value
	l.markAll(settings.Join(path, key), value, o)
}

func (l *layer) sectionIn(m map[string]any, key, path string, o Origin) map[string]any {
	if next, ok := m[key].(map[string]any); ok {
		return next
	}
	next := map[string]any{}
	m[key] = next
	o.section = true
	l.origins[path] = o
	return next
}

// markAll gives a value and all keys below it the same origin.
func (l *layer) markAll(path string, value any, o Origin) {
	m, ok := value.(map[string]any)
	o.section = ok
	l.origins[path] = o
	for key, below := range m {
		l.markAll(settings.Join(path, key), below, o)
	}
}

// merged is several layers, one over the other.
type merged struct {
	values  map[string]any
	origins map[string]Origin
}

// merge lets koanf lay the layers over each other, and does the same for the origins.
func merge(layers ...*layer) (merged, error) {
	k := koanf.New(delimiter)
	origins := map[string]Origin{}
	for _, l := range layers {
		values := substance(l.values, k.Raw())
		if err := k.Load(confmap.Provider(values, ""), nil); err != nil {
			return merged{}, fmt.Errorf("merge %s: %w", l.origin, err)
		}
		overlay(origins, l.origins)
	}
	return merged{k.Raw(), origins}, nil
}

// substance leaves out empty sections that koanf would put in the place of what
// earlier layers say. One that nobody filled stays: its key may be a wrong one.
func substance(values, below map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range values {
		old, exists := below[key]
		m, isMap := v.(map[string]any)
		switch {
		case exists && (v == nil || isMap && len(m) == 0):
			continue
		case isMap:
			oldMap, _ := old.(map[string]any)
			m = substance(m, oldMap)
			if exists && len(m) == 0 {
				continue
			}
			out[key] = m
		default:
			out[key] = v
		}
	}
	return out
}

// overlay keeps the place of a section where it was first written, and forgets the
// places of items of a list that is replaced.
func overlay(origins, upper map[string]Origin) {
	for path, o := range upper {
		if old, ok := origins[path]; ok && o.section && old.section {
			continue
		}
		origins[path] = o
	}
	for path, o := range origins {
		if o.Layer < layerAbove(path, upper) {
			delete(origins, path)
		}
	}
}

// layerAbove is the layer that replaced a list or value above a path as a whole.
func layerAbove(path string, upper map[string]Origin) Layer {
	for above := parent(path); above != ""; above = parent(above) {
		if o, ok := upper[above]; ok && !o.section {
			return o.Layer
		}
	}
	return LayerDefault
}

// parent is the path above, or "". Keys with dots make it take more steps than there
// are levels, which finds the same places.
func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// source is the origin of a value: its own, or that of the value that holds it. A name
// that was written in another case, as a key, is the same name.
func (m merged) source(path string) Origin {
	for above := path; above != ""; above = parent(above) {
		if o, ok := m.origins[above]; ok && !o.section {
			return o
		} else if ok {
			break
		}
	}
	for written, o := range m.origins {
		if !o.section && strings.EqualFold(written, path) {
			return o
		}
	}
	return Origin{}
}

// find is the origin of a path, or of the nearest thing above it that a person would
// look at: a section that only leads to a variable or a flag says nothing.
func (m merged) find(path string) Origin {
	if o, ok := m.origins[path]; ok {
		return o
	}
	for above := parent(path); above != ""; above = parent(above) {
		if o, ok := m.origins[above]; ok && (!o.section || o.Layer == LayerFile) {
			return o
		}
	}
	return Origin{}
}
