package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// decoder turns the merged values of a configuration into its fields.
type decoder struct {
	config   *Config
	root     settings.Field
	problems []Problem
}

func (d *decoder) decode() {
	d.sections()
	d.plugins()
	for _, s := range d.config.slots {
		d.slot(s)
	}
}

// take adds the problems of a section, whose paths start below it.
func (d *decoder) take(section string, found []plugin.Problem) {
	for _, p := range found {
		origin, hint := d.config.merged.find(settings.Join(section, settings.Place(p))), d.elsewhere(p)
		if !origin.quotable() {
			hint = strings.TrimSuffix(hint, ", without quotes")
		}
		d.problems = append(d.problems, Problem{Origin: origin, Path: settings.Join(section, p.Path), Text: p.Text, Hint: hint})
	}
}

func (d *decoder) report(path, text, hint string) {
	d.take("", []plugin.Problem{{Path: path, Text: text, Hint: hint}})
}

// elsewhere adds to the hint about an unknown key where there is one of that name.
func (d *decoder) elsewhere(p plugin.Problem) string {
	place := settings.Place(p)
	if place == p.Path || strings.HasPrefix(p.Hint, "did you mean") {
		return p.Hint
	}
	key := strings.TrimPrefix(strings.TrimPrefix(place, p.Path), ".")
	var found []string
	walkFields(d.root, nil, func(keys []string, f settings.Field) {
		if f.Name == key {
			found = append(found, joinKeys(keys))
		}
	})
	if len(found) == 0 || len(found) > 2 {
		return p.Hint
	}
	return fmt.Sprintf("did you mean %q?", strings.Join(found, `" or "`))
}

// sections decodes all that is not a slot.
func (d *decoder) sections() {
	own := maps.Clone(d.config.merged.values)
	for key := range own {
		if _, known := d.root.Child(key); !known {
			d.take("", []plugin.Problem{settings.Unknown("", key, d.root.Names())})
			delete(own, key)
		}
	}
	for _, s := range d.config.slots {
		delete(own, s.section())
	}
	d.take("", settings.Decoder{Flow: readFlow}.Decode(own, d.config))
}

// slot decodes the section of one slot.
func (d *decoder) slot(s Slot) {
	in := d.config.merged.values[s.section()]
	use, found := s.readUse(in)
	for i := range found {
		if found[i].Path == "" {
			found[i].Hint = "its keys are " + strings.Join(s.field().Names(), ", ")
		}
	}
	d.take(s.section(), found)
	if len(found) > 0 {
		use = nil
	} else {
		d.checkUse(s, use)
	}
	d.config.use[s.Kind] = use
	section, _ := in.(map[string]any)
	for _, name := range s.ordered(section) {
		d.part(s, name, section[name])
	}
}

// ordered lists the keys of a slot's section: built-in plugins as the slot lists them,
// then the others.
func (s Slot) ordered(section map[string]any) []string {
	var names []string
	for _, p := range s.Plugins {
		if _, ok := section[p.Name]; ok {
			names = append(names, p.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if _, builtin := s.plugin(key); !builtin && key != "use" {
			names = append(names, key)
		}
	}
	return names
}

// part decodes the section of one plugin.
func (d *decoder) part(s Slot, name string, in any) {
	path := settings.Join(s.section(), name)
	p, builtin := s.plugin(name)
	switch {
	case builtin:
		into := p.fresh()
		d.take(path, settings.Decoder{Flow: readFlow}.Decode(in, into))
		d.config.parts = append(d.config.parts, part{s.Kind, name, into})
	case d.external(s, name):
		d.config.parts = append(d.config.parts, part{s.Kind, name, d.section(path, in)})
	default:
		d.take(s.section(), []plugin.Problem{settings.Unknown("", name, s.field().Names())})
	}
}

// external reports whether a plugin stands under plugins.
func (d *decoder) external(s Slot, name string) bool {
	_, ok := d.config.Plugins[s.section()+"/"+name]
	return ok
}

// section is what a plugin in a process of its own will decode itself. A value out of a
// variable or a flag, whose type only the plugin knows, is read as YAML reads it.
func (d *decoder) section(path string, in any) *plugin.Section {
	raw, ok := in.(map[string]any)
	if !ok && in != nil {
		d.report(path, "is no section", "write the settings of the plugin below it, as key: value")
	}
	section := make(plugin.Section, len(raw))
	for key, value := range raw {
		section[key] = typed(value)
	}
	return &section
}

func typed(in any) any {
	switch v := in.(type) {
	case settings.Text:
		if read, err := readFlow(string(v)); err == nil {
			return read
		}
		return string(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = typed(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = typed(value)
		}
		return out
	}
	return in
}
