package config

import (
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// Locate says where the problems stand that a plugin in a process of its own has found
// in its settings, as Load does for those of built-in plugins. The error is a *Problems,
// or nil without problems.
func (c *Config) Locate(kind plugin.Kind, name string, found []plugin.Problem) error {
	d := &decoder{config: c, root: describe(fresh(c.slots))}
	d.take(settings.Join(string(kind), name), found)
	return problemsOf(d.problems)
}

// ReadSection reads settings of one plugin that stand alone, as YAML or JSON.
func ReadSection(text string) (plugin.Section, error) {
	read, err := readFlow(text)
	if err != nil {
		return nil, err
	}
	section, ok := read.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no section: write key: value")
	}
	return section, nil
}
