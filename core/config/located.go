package config

import (
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
