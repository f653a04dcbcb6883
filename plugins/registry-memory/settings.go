package registrymemory

import "github.com/barrelp2p/barrel/interfaces/plugin"

// Settings is the section registry.memory of the configuration.
type Settings struct {
	MaxEntries int `setting:"max_entries" help:"most registrations at a time; at least 1"`
}

func defaults() *Settings { return &Settings{MaxEntries: 100_000} }

// Validate reports values that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	if s.MaxEntries < 1 {
		return []plugin.Problem{{Path: "max_entries", Text: "must be at least 1", Hint: "leave it out for the default"}}
	}
	return nil
}
