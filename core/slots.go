package core

import (
	"slices"

	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Slots describes a catalog to package config: which slots there are, what can fill
// them and what does when nothing is said.
func Slots(cat catalog.Catalog) []config.Slot {
	var slots []config.Slot
	for _, s := range catalog.Slots() {
		slots = append(slots, config.Slot{
			Kind: s.Kind, Chain: s.Cardinality == catalog.Chain, Default: defaults(cat, s),
			Plugins: pluginsOf(cat, s.Kind),
		})
	}
	return slots
}

func pluginsOf(cat catalog.Catalog, kind plugin.Kind) []config.Plugin {
	var list []config.Plugin
	for _, e := range cat.Entries() {
		if e.Kind == kind {
			list = append(list, config.Plugin{Name: e.Name, Summary: e.Summary, Settings: e.Settings})
		}
	}
	return list
}

// defaults are the usual plugins of a slot, as far as the catalog has them; a catalog
// without any of them but with one other means that one.
func defaults(cat catalog.Catalog, s catalog.Slot) []string {
	there := cat.Names(s.Kind)
	usual := slices.DeleteFunc(slices.Clone(s.Defaults), func(name string) bool {
		return !slices.Contains(there, name)
	})
	if len(usual) == 0 && len(there) == 1 {
		return there
	}
	return usual
}
