package plugin

import "context"

// Section is the settings of a plugin whose settings type is not known in this process:
// the section as it stands in the configuration, of string, bool, int64, uint64,
// float64, []any and map[string]any. The plugin decodes it where it lives.
type Section map[string]any

// Process is what can be told of a plugin that runs in a process of its own. PID is 0
// while there is no process; Version and Contract are empty until there was one.
type Process struct {
	PID      int
	Version  string // of the plugin
	Contract string // that both sides speak, as barrel.plugin.discovery.v1
	Restarts int    // of the process, without being asked to
	Sandbox  string // what it may touch, in words; empty: whatever the node may
}

// Hosted is the optional ability of a plugin that runs in a process of its own to tell
// about that process. It answers at once and from any goroutine.
type Hosted interface{ Process() Process }

// Facade is the optional ability of a value that has every method of its kind because
// it stands for a plugin elsewhere: Can says which optional abilities that plugin has,
// by their words (publish, list, watch, reload). The methods of the others return
// ErrUnsupported.
type Facade interface{ Can(ability string) bool }

// Replacer is the optional ability of a plugin in a process of its own to go on as
// another one: next was made from the settings of now and was never started. Its process
// is started beside the old one and takes its place when it works; with an error the old
// one stays. A transport is ended first, since both want the same address, and started
// again if next cannot have it. next is not used afterwards.
type Replacer interface {
	Replace(ctx context.Context, next Part) error
}

// HealthTeller is the optional ability to say at once when one's health changes,
// instead of only being asked. OnHealth is called once, before Start; tell may be called
// from any goroutine between Start and Stop, and does not block.
type HealthTeller interface{ OnHealth(tell func(Health)) }

// SettingsError says what is wrong with the settings of a plugin that could only tell
// after it was reached. Paths start below the plugin's own section.
type SettingsError struct {
	Kind     Kind
	Name     string
	Problems []Problem
}

// Error is one line for each problem.
func (e *SettingsError) Error() string {
	text := string(e.Kind) + "." + e.Name + ": its settings are wrong"
	for _, p := range e.Problems {
		text += "\n" + p.line(string(e.Kind)+"."+e.Name)
	}
	return text
}

func (p Problem) line(section string) string {
	text := section
	if p.Path != "" {
		text += "." + p.Path
	}
	text += ": " + p.Text
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}
