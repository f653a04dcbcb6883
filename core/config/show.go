package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// hidden stands for a secret that is set.
const hidden = "***"

// Row is one effective value, as people read it.
type Row struct {
	Key    string `json:"key"`              // full path: "discovery.static.nodes.seed1@10.0.0.1"
	Value  string `json:"value"`            // "***" for a secret that is set
	Origin string `json:"origin,omitempty"` // "default", "node.yaml:4:5", "environment BARREL_X", "flag --set x"
}

// Show lists all values that apply, in the order of the samples; of plugins, those in
// use or written down. origin says where each comes from.
func (c *Config) Show(origin bool) []Row {
	var rows []Row
	c.leaves(true, func(path string, value any) {
		row := Row{Key: path, Value: inline(value)}
		if origin {
			row.Origin = c.merged.source(path).String()
		}
		rows = append(rows, row)
	})
	return rows
}

// Document is the same as one tree, for JSON: durations and names as text.
func (c *Config) Document() map[string]any {
	root := c.current()
	doc, _ := masked(root, root.Value).(map[string]any)
	return doc
}

// Diff lists the keys whose values differ, in the order of Show; keys that only the
// old configuration has come last.
func Diff(before, after *Config) []string {
	was := map[string]any{}
	before.leaves(false, func(path string, value any) { was[path] = value })
	var changed []string
	after.leaves(false, func(path string, value any) {
		old, existed := was[path]
		if !existed || !reflect.DeepEqual(old, value) {
			changed = append(changed, path)
		}
		delete(was, path)
	})
	return append(changed, slices.Sorted(maps.Keys(was))...)
}

// leaves visits the values that apply, secrets masked or not.
func (c *Config) leaves(mask bool, visit func(path string, value any)) {
	root := c.current()
	value := root.Value
	if mask {
		value = masked(root, value)
	}
	visitLeaves(root, "", value, visit)
}

// current describes what applies: the sections of the kernel, and of each slot its
// choice and the plugins that are in use or written down.
func (c *Config) current() settings.Field {
	root := settings.Describe(c)
	values := settings.Plain(c)
	if admin, ok := values["admin"].(map[string]any); ok {
		admin["socket"] = c.Socket()
	}
	at := slices.Index(root.Names(), "links")
	for i, s := range c.slots {
		f := c.currentSlot(s)
		root.Fields = slices.Insert(root.Fields, at+i, f)
		values[f.Name] = f.Value
	}
	root.Value = values
	return root
}

func (c *Config) currentSlot(s Slot) settings.Field {
	f := settings.Field{Name: s.section(), Kind: settings.KindSection, Fields: []settings.Field{s.useField()}}
	values := map[string]any{"use": c.useValue(s)}
	for _, p := range c.parts {
		if p.kind != s.Kind {
			continue
		}
		section := external(p.settings)
		if _, builtin := s.plugin(p.name); builtin {
			section = settings.Describe(p.settings)
		}
		section.Name = p.name
		f.Fields = append(f.Fields, section)
		values[p.name] = section.Value
	}
	f.Value = values
	return f
}

func (c *Config) useValue(s Slot) any {
	if !s.Chain {
		return strings.Join(c.use[s.Kind], "")
	}
	list := make([]any, len(c.use[s.Kind]))
	for i, name := range c.use[s.Kind] {
		list[i] = name
	}
	return list
}

// external describes the section of a plugin whose settings only its process knows:
// any of them could be a secret.
func external(in any) settings.Field {
	raw := map[string]any{}
	if section, ok := in.(*plugin.Section); ok {
		raw = *section
	}
	item := settings.Field{Kind: settings.KindText, Secret: true}
	return settings.Field{Kind: settings.KindMap, Item: &item, Secret: true, Value: raw}
}

// masked puts stars for secrets that are set.
func masked(f settings.Field, value any) any {
	m, isMap := value.(map[string]any)
	switch {
	case isMap && f.Kind == settings.KindSection:
		out := map[string]any{}
		for _, child := range f.Fields {
			out[child.Name] = masked(child, m[child.Name])
		}
		return out
	case isMap && f.Kind == settings.KindMap:
		out := map[string]any{}
		for key, v := range m {
			out[key] = masked(*f.Item, v)
		}
		return out
	case f.Secret && !empty(value):
		return hidden
	}
	return value
}

func empty(value any) bool {
	if list, ok := value.([]any); ok {
		return len(list) == 0
	}
	return value == nil || value == ""
}

// visitLeaves calls visit for everything that has nothing below it.
func visitLeaves(f settings.Field, path string, value any, visit func(string, any)) {
	m, isMap := value.(map[string]any)
	switch {
	case isMap && f.Kind == settings.KindSection:
		for _, child := range f.Fields {
			visitLeaves(child, settings.Join(path, child.Name), m[child.Name], visit)
		}
	case isMap && f.Kind == settings.KindMap && len(m) > 0:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			visitLeaves(*f.Item, settings.Join(path, key), m[key], visit)
		}
	default:
		visit(path, value)
	}
}

// inline is a value on one line, as YAML would have it.
func inline(value any) string {
	switch v := value.(type) {
	case nil:
		return "{}"
	case string:
		return scalarText(v)
	case settings.Text:
		return scalarText(string(v))
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = inline(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			items = append(items, scalarText(key)+": "+inline(v[key]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(value)
}
