package config

import (
	"slices"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// Slot describes one slot of the node and the plugins that are built in for it.
type Slot struct {
	Kind    plugin.Kind
	Chain   bool     // use is a list, in the order in which they are asked
	Default []string // the plugins in use when nothing is said; one, unless Chain
	Plugins []Plugin
}

// Plugin describes one built-in plugin.
type Plugin struct {
	Name     string     // within its slot: "static"
	Summary  string     // one line
	Settings func() any // a pointer to fresh settings with the defaults; nil if there is nothing to set
}

// fresh is the plugin's settings with its defaults.
func (p Plugin) fresh() any {
	if p.Settings == nil {
		return &plugin.NoSettings{}
	}
	return p.Settings()
}

func (s Slot) section() string { return string(s.Kind) }

func (s Slot) plugin(name string) (Plugin, bool) {
	i := slices.IndexFunc(s.Plugins, func(p Plugin) bool { return p.Name == name })
	if i < 0 {
		return Plugin{}, false
	}
	return s.Plugins[i], true
}

func (s Slot) names() []string {
	names := make([]string, len(s.Plugins))
	for i, p := range s.Plugins {
		names[i] = p.Name
	}
	return names
}

func slotHelp(kind plugin.Kind) string {
	switch kind {
	case plugin.Transport:
		return "how bytes get to a peer"
	case plugin.Discovery:
		return "where the node of a name is"
	case plugin.Trust:
		return "whether a key may be a node"
	case plugin.Membership:
		return "who is in the cluster, and who is a neighbour"
	case plugin.Registry:
		return "who offers which service"
	}
	return ""
}

// useField describes the key `use` of a slot.
func (s Slot) useField() settings.Field {
	if !s.Chain {
		f := settings.Field{Name: "use", Kind: settings.KindText, Word: "text", Value: "", Choices: s.names(), Help: "the plugin that fills the slot"}
		if len(s.Default) > 0 {
			f.Value = s.Default[0]
		}
		return f
	}
	list := make([]any, len(s.Default))
	for i, name := range s.Default {
		list[i] = name
	}
	item := settings.Field{Kind: settings.KindText, Word: "text", Choices: s.names()}
	return settings.Field{Name: "use", Kind: settings.KindList, Word: "list of text", Value: list, Item: &item,
		Help: "the plugins to ask, in this order; the first that knows the answer wins"}
}

// field describes the section of a slot.
func (s Slot) field() settings.Field {
	f := settings.Field{Name: s.section(), Kind: settings.KindSection, Word: "section", Help: slotHelp(s.Kind)}
	f.Fields = append(f.Fields, s.useField())
	for _, p := range s.Plugins {
		section := settings.Describe(p.fresh())
		section.Name, section.Help = p.Name, p.Summary
		f.Fields = append(f.Fields, section)
	}
	return f
}

// describe is every key there is, in the order in which we print them: the sections of
// the slots stand where the kernel's section `links` would.
func describe(c *Config) settings.Field {
	root := settings.Describe(c)
	var slots []settings.Field
	for _, s := range c.slots {
		slots = append(slots, s.field())
	}
	at := slices.Index(root.Names(), "links")
	root.Fields = slices.Insert(root.Fields, at, slots...)
	return root
}

// lookup follows keys into the description. It reports false where the description
// ends, as below a plugin in a process of its own.
func lookup(root settings.Field, keys ...string) (settings.Field, bool) {
	f := root
	for _, key := range keys {
		var ok bool
		switch f.Kind {
		case settings.KindSection:
			if f, ok = f.Child(key); !ok {
				return f, false
			}
		case settings.KindMap:
			f = *f.Item
		default:
			return f, false
		}
	}
	return f, true
}
