package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

// checkUse looks at the names that fill a slot.
func (d *decoder) checkUse(s Slot, use []string) {
	path := settings.Join(s.section(), "use")
	if len(s.Plugins) == 0 && strings.Join(use, "") == "" {
		return // a slot that the caller fills itself
	}
	if len(use) == 0 {
		d.report(path, "names no plugin", "name one or more of "+strings.Join(s.names(), ", "))
	}
	for i, name := range use {
		at := path
		if s.Chain {
			at = settings.Index(path, i)
		}
		_, builtin := s.plugin(name)
		switch {
		case slices.Index(use, name) < i:
			d.report(at, fmt.Sprintf("%q is named twice", name), "name it once")
		case builtin, d.external(s, name):
		default:
			d.report(at, fmt.Sprintf("unknown plugin %q", name), d.pluginHint(s, name))
		}
	}
}

// pluginHint is the nearest name and all that there are.
func (d *decoder) pluginHint(s Slot, name string) string {
	names := s.names()
	for _, key := range slices.Sorted(maps.Keys(d.config.Plugins)) {
		if external, ok := strings.CutPrefix(key, s.section()+"/"); ok {
			names = append(names, external)
		}
	}
	list := "there are " + strings.Join(names, ", ")
	if best := settings.DidYouMean(name, names); best != "" {
		return best + " " + list
	}
	return list
}

// plugins looks at the names under plugins.
func (d *decoder) plugins() {
	for _, key := range slices.Sorted(maps.Keys(d.config.Plugins)) {
		path := settings.Join("plugins", key)
		kind, name, ok := strings.Cut(key, "/")
		i := slices.IndexFunc(d.config.slots, func(s Slot) bool { return s.section() == kind })
		switch {
		case !ok || name == "":
			d.report(path, "is no slot/name", "write it as discovery/consul")
		case i < 0:
			d.report(path, fmt.Sprintf("unknown slot %q", kind), d.slotHint(kind))
		case name == "use" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			d.report(path, fmt.Sprintf("%q cannot be the name of a plugin", name), "use lower-case letters, digits and '-'")
		case slices.Contains(d.config.slots[i].names(), name):
			d.report(path, fmt.Sprintf("%q is built in", key), "give yours another name; settings of the built-in one stand under "+kind+"."+name)
		}
	}
}

func (d *decoder) slotHint(kind string) string {
	var kinds []string
	for _, s := range d.config.slots {
		kinds = append(kinds, s.section())
	}
	if best := settings.DidYouMean(kind, kinds); best != "" {
		return best
	}
	return "there are " + strings.Join(kinds, ", ")
}
