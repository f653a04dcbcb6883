package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/settings"
)

// Sources is where a configuration comes from. The zero Sources is all defaults.
type Sources struct {
	File    string   // name of the file; empty: none
	Environ []string // KEY=value, as os.Environ gives it
	Sets    []string // key=value, one for each --set

	// Flags of their own; empty: not given. They win over Sets, but a Join and a set of
	// the same list are a problem.
	Name    string   // node.name
	Listen  string   // listen of the transport in use
	DataDir string   // node.data_dir
	Join    []string // bootstrap.contact_nodes
}

// Load reads, merges, decodes and checks. The error is a *Problems with all that is
// wrong. Only the sections of plugins that are in use or written down are looked at.
func Load(src Sources, slots []Slot) (*Config, error) {
	return load(src, readFile(src.File), slots)
}

func load(src Sources, file *layer, slots []Slot) (*Config, error) {
	c := fresh(slots)
	root := describe(c)
	env, flags := readEnviron(src.Environ, root), readFlags(src, root)
	found := slices.Concat(file.problems, env.problems, flags.problems)
	if len(file.problems) > 0 && len(file.values) == 0 {
		return nil, problemsOf(found) // nothing else can be judged without the file
	}
	written, err := merge(file, env, flags)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	flags.problems = nil
	flags.listen(src.Listen, root, transportOf(written, slots))
	found = append(found, flags.problems...)
	c.merged, err = merge(defaultLayer(c, written), file, env, flags)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	d := &decoder{config: c, root: root, problems: found}
	d.decode()
	if err := problemsOf(d.problems); err != nil {
		return nil, err
	}
	return c, nil
}

func transportOf(written merged, slots []Slot) []string {
	for _, s := range slots {
		if s.Kind == plugin.Transport {
			use, _ := s.readUse(written.values[s.section()])
			return use
		}
	}
	return nil
}

// defaultLayer has the kernel's defaults and those of the plugins that are in use or
// written down.
func defaultLayer(c *Config, written merged) *layer {
	l := newLayer(Origin{})
	l.values = settings.Plain(c)
	for _, s := range c.slots {
		section := map[string]any{"use": s.useField().Value}
		for _, name := range s.wanted(written.values[s.section()]) {
			if p, ok := s.plugin(name); ok {
				section[name] = settings.Plain(p.fresh())
			}
		}
		l.values[s.section()] = section
	}
	return l
}

// wanted lists the plugins that a slot's section names, in use or by a section, each
// once.
func (s Slot) wanted(section any) []string {
	names, _ := s.readUse(section)
	names = slices.Clone(names)
	if m, ok := section.(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if key != "use" && !slices.Contains(names, key) {
				names = append(names, key)
			}
		}
	}
	return names
}

// readUse decodes the key use of a slot's section; what is not said is the default.
func (s Slot) readUse(section any) ([]string, []plugin.Problem) {
	if m, ok := section.(map[string]any); ok {
		section = map[string]any{"use": m["use"]}
	}
	read := settings.Decoder{Flow: readFlow}
	if s.Chain {
		v := struct {
			Use []string `setting:"use"`
		}{s.Default}
		found := read.Decode(section, &v)
		return v.Use, found
	}
	v := struct {
		Use string `setting:"use"`
	}{}
	if len(s.Default) > 0 {
		v.Use = s.Default[0]
	}
	found := read.Decode(section, &v)
	return []string{v.Use}, found
}
