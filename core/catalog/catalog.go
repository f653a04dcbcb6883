package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Catalog lists the factories of each kind. The order within a kind is the order in
// which people see them and means nothing else. It is not changed once it is in use.
type Catalog struct {
	Transport  []transport.Factory
	Discovery  []discovery.Factory
	Trust      []trust.Factory
	Membership []membership.Factory
	Registry   []registry.Factory
}

// Entry describes one factory without its types: what a configuration checker, a help
// page or a list of plugins needs.
type Entry struct {
	Kind     plugin.Kind
	Name     string // as the configuration names it
	Summary  string // one line
	Contract string // version of the kind's contract, as barrel.plugin.trust.v1
	// Settings returns a pointer to a fresh settings struct that holds the defaults.
	Settings func() any
}

// ID is kind/name, as logs and the plugins section of the configuration call it.
func (e Entry) ID() string { return string(e.Kind) + "/" + e.Name }

// Entries describes everything in the catalog, kind by kind in the order of
// plugin.Kinds.
func (c Catalog) Entries() []Entry {
	return slices.Concat(
		describe(plugin.Transport, transport.Contract, c.Transport),
		describe(plugin.Discovery, discovery.Contract, c.Discovery),
		describe(plugin.Trust, trust.Contract, c.Trust),
		describe(plugin.Membership, membership.Contract, c.Membership),
		describe(plugin.Registry, registry.Contract, c.Registry),
	)
}

func describe[P plugin.Part, E any](kind plugin.Kind, contract string, list []plugin.Factory[P, E]) []Entry {
	entries := make([]Entry, 0, len(list))
	for _, f := range list {
		entries = append(entries, Entry{Kind: kind, Name: f.Name(), Summary: f.Summary(), Contract: contract, Settings: f.Settings})
	}
	return entries
}

// Names lists the plugins of one kind, in catalog order.
func (c Catalog) Names(kind plugin.Kind) []string {
	names := []string{}
	for _, e := range c.Entries() {
		if e.Kind == kind {
			names = append(names, e.Name)
		}
	}
	return names
}

// Entry returns the description of one plugin. The error is an *UnknownError.
func (c Catalog) Entry(kind plugin.Kind, name string) (Entry, error) {
	for _, e := range c.Entries() {
		if e.Kind == kind && e.Name == name {
			return e, nil
		}
	}
	return Entry{}, &UnknownError{Kind: kind, Name: name, Known: c.Names(kind)}
}

// Find returns the factory of that name from the list of one kind. The error is an
// *UnknownError.
func Find[P plugin.Part, E any](list []plugin.Factory[P, E], kind plugin.Kind, name string) (plugin.Factory[P, E], error) {
	var known []string
	for _, f := range list {
		if f.Name() == name {
			return f, nil
		}
		known = append(known, f.Name())
	}
	return plugin.Factory[P, E]{}, &UnknownError{Kind: kind, Name: name, Known: known}
}

// UnknownError says that the catalog has no plugin of that kind and name.
type UnknownError struct {
	Kind  plugin.Kind
	Name  string
	Known []string // what there is instead
}

// Error names what there is.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("no %s plugin is called %q: this program has none of that kind", e.Kind, e.Name)
	}
	return fmt.Sprintf("no %s plugin is called %q: there is %s", e.Kind, e.Name, strings.Join(e.Known, ", "))
}

// Validate reports every mistake in the list itself: names that are empty, given
// twice, or not usable as a key of the configuration. It does not ask for completeness;
// a catalog for one kind only is fine until a node asks for another.
func (c Catalog) Validate() error {
	var problems []error
	seen := map[string]bool{}
	for i, e := range c.Entries() {
		switch {
		case e.Name == "":
			problems = append(problems, fmt.Errorf("catalog: entry %d (%s): has no name: make it with plugin.Define", i, e.Kind))
		case !usable(e.Name):
			problems = append(problems, fmt.Errorf("catalog: %s plugin %q: use a-z, 0-9, '-' and '_', and not %q", e.Kind, e.Name, useKey))
		case seen[e.ID()]:
			problems = append(problems, fmt.Errorf("catalog: %s: listed twice: give one of them another name", e.ID()))
		}
		seen[e.ID()] = true
	}
	return errors.Join(problems...)
}

// useKey is the one key of a slot's section that is not a plugin's name.
const useKey = "use"

func usable(name string) bool {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	return name != useKey && !strings.ContainsFunc(name, odd)
}
