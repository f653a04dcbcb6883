package plugin

import "fmt"

// Kind is the slot a plugin fills.
type Kind string

// The five slots.
const (
	Transport  Kind = "transport"
	Discovery  Kind = "discovery"
	Trust      Kind = "trust"
	Membership Kind = "membership"
	Registry   Kind = "registry"
)

// Kinds lists the slots in the order in which a node assembles them.
func Kinds() []Kind { return []Kind{Transport, Discovery, Trust, Membership, Registry} }

// Problem is one thing wrong with a settings value.
type Problem struct {
	// Path leads to the value below the plugin's own section, in the spelling of
	// the configuration: "nodes.seed1@10.0.0.1[0]". Empty: the section itself.
	Path string
	// Text is the fact, lower case: `not a duration`.
	Text string
	// Hint is the next step, or empty: `write it with a unit, as 5s`.
	Hint string
}

// Validator is implemented by settings that can be wrong. Validate looks at its own
// values only, never at the world, and reports every problem at once.
type Validator interface{ Validate() []Problem }

// Factory makes plugins of one kind: P is the contract, E the environment that the
// kind lends. The zero Factory is not usable; Define makes one.
type Factory[P Part, E any] struct {
	name     string
	summary  string
	defaults func() any
	build    func(E, any) (P, error)
}

// Define binds a name, a settings type and a constructor. The settings type S is a
// struct whose fields carry tags that interfaces/settings reads; defaults returns a
// fresh value of it. build is the plugin's New: it may allocate and keep references,
// nothing else.
func Define[P Part, E, S any](name, summary string, defaults func() *S, build func(E, *S) (P, error)) Factory[P, E] {
	return Factory[P, E]{
		name:     name,
		summary:  summary,
		defaults: func() any { return defaults() },
		build: func(env E, settings any) (P, error) {
			s, ok := settings.(*S)
			if !ok {
				var none P
				return none, fmt.Errorf("plugin %s: settings are a %T, not a %T", name, settings, s)
			}
			return build(env, s)
		},
	}
}

// Name is how the configuration names the plugin within its kind: "static".
func (f Factory[P, E]) Name() string { return f.name }

// Summary is one line for people: what the plugin is for.
func (f Factory[P, E]) Summary() string { return f.summary }

// Settings returns a pointer to a fresh settings struct that holds the defaults.
func (f Factory[P, E]) Settings() any { return f.defaults() }

// New makes a plugin from an environment and a value that Settings returned.
func (f Factory[P, E]) New(env E, settings any) (P, error) { return f.build(env, settings) }

// NoSettings is the settings type of a plugin that has nothing to set.
type NoSettings struct{}

// NoDefaults is the defaults function that goes with NoSettings.
func NoDefaults() *NoSettings { return &NoSettings{} }
