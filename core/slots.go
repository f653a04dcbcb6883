package core

import (
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
			Kind: s.Kind, Chain: s.Cardinality == catalog.Chain, Default: s.Defaults,
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
