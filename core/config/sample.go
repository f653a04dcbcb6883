package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

// Defaults is a commented YAML sample: of the whole configuration if which is empty, or
// of one plugin, "slot/name", or one section, "auth". It says what applies when nothing
// is said, and can be loaded as it is. Plugins that are not in use by default are
// commented out. The error names what there is.
func Defaults(slots []Slot, which string) (string, error) {
	root := describe(fresh(slots))
	if which != "" {
		var err error
		if root, err = only(root, slots, which); err != nil {
			return "", err
		}
	}
	w := &sample{}
	for i, section := range root.Fields {
		if i > 0 {
			w.line("")
		}
		w.section(section, unused(slots, section.Name, which))
	}
	return w.String(), nil
}

// only keeps one section, or of one slot one plugin and the choice.
func only(root settings.Field, slots []Slot, which string) (settings.Field, error) {
	kind, name, isPlugin := strings.Cut(which, "/")
	section, ok := root.Child(kind)
	if ok && isPlugin {
		var part, use settings.Field
		part, ok = section.Child(name)
		ok = ok && part.Kind == settings.KindSection
		use, _ = section.Child("use")
		section.Fields = []settings.Field{use, part}
	}
	if !ok {
		return root, fmt.Errorf("%q: no such plugin or section: %s", which, sampleHint(root, slots, which))
	}
	root.Fields = []settings.Field{section}
	return root, nil
}

func sampleHint(root settings.Field, slots []Slot, which string) string {
	var names []string
	for _, s := range slots {
		for _, name := range s.names() {
			names = append(names, s.section()+"/"+name)
		}
	}
	if hint := settings.DidYouMean(which, append(slices.Clone(names), root.Names()...)); hint != "" {
		return hint
	}
	return "there are " + strings.Join(append(names, root.Names()...), ", ")
}

// unused lists the plugins of a slot that the sample comments out.
func unused(slots []Slot, section, which string) []string {
	for _, s := range slots {
		if s.section() == section {
			return slices.DeleteFunc(s.names(), func(name string) bool {
				return slices.Contains(s.Default, name) || which == section+"/"+name
			})
		}
	}
	return nil
}

// sample writes YAML with comments.
type sample struct {
	strings.Builder
	indent int
}

func (w *sample) line(text string) {
	if text != "" {
		text = strings.Repeat("  ", w.indent) + text
	}
	w.WriteString(text + "\n")
}

func (w *sample) help(f settings.Field) {
	text := f.Help
	if len(f.Choices) > 0 {
		text += ": " + strings.Join(f.Choices, " | ")
	} else if f.Item != nil && len(f.Item.Choices) > 0 {
		text += ": " + strings.Join(f.Item.Choices, " | ")
	}
	for text != "" {
		var head string
		head, text = wrap(text, 96-2*w.indent)
		w.line("# " + head)
	}
}

// wrap cuts a text at the last space before a width.
func wrap(text string, width int) (head, rest string) {
	if len(text) <= width {
		return text, ""
	}
	cut := strings.LastIndexByte(text[:width], ' ')
	if cut <= 0 {
		return text, ""
	}
	return text[:cut], text[cut+1:]
}

// section writes a section; those of its own sections that are named in off are
// written as comments.
func (w *sample) section(f settings.Field, off []string) {
	w.help(f)
	if len(f.Fields) == 0 {
		w.leaf(f)
		return
	}
	w.line(scalarText(f.Name) + ":")
	w.indent++
	for _, child := range f.Fields {
		if slices.Contains(off, child.Name) {
			w.asComment(child)
			continue
		}
		w.section(child, nil)
	}
	w.indent--
}

// asComment writes a section so that taking away "# " gives the section.
func (w *sample) asComment(f settings.Field) {
	w.help(f)
	f.Help = ""
	inner := &sample{}
	inner.section(f, nil)
	for text := range strings.Lines(inner.String()) {
		w.line("# " + strings.TrimSuffix(text, "\n"))
	}
}

func (w *sample) leaf(f settings.Field) {
	if f.Kind == settings.KindMap && f.Item.Kind == settings.KindSection {
		w.entry(f)
		return
	}
	value := f.Value
	if f.Kind == settings.KindSection {
		value = map[string]any{}
	}
	w.line(scalarText(f.Name) + ": " + inline(value))
}

// entry shows what an entry of a map would look like.
func (w *sample) entry(f settings.Field) {
	w.line(scalarText(f.Name) + ":")
	one := *f.Item
	one.Name = "discovery/example"
	w.indent++
	w.asComment(one)
	w.indent--
}

// scalarText is a text as YAML, in quotes unless it needs none.
func scalarText(s string) string {
	if plainText(s) {
		return s
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return fmt.Sprintf("%q", s)
	}
	return string(quoted)
}

func plainText(s string) bool {
	switch strings.ToLower(s) {
	case "", "true", "false", "null", "yes", "no", "on", "off", "y", "n", hidden:
		return s == hidden
	}
	if looksNumber(s) || strings.ContainsRune("-.", rune(s[0])) {
		return false
	}
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("_-./@", r) {
			return false
		}
	}
	return true
}

// looksNumber is careful: what a parser could take for a number or a date is not plain.
func looksNumber(s string) bool {
	return s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789.eExXoO_-abcdfABCDF") == ""
}
