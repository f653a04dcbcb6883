package registryormap

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Settings is the section registry.ormap of the configuration.
type Settings struct {
	MaxEntries  int           `setting:"max_entries" help:"most registrations of one node; the same on all nodes"`
	MaxBytes    int           `setting:"max_bytes" help:"bytes of the registrations of one node; the same on all nodes"`
	MaxMeta     int           `setting:"max_meta" help:"bytes of the metadata of one registration of this node, at most 65536"`
	AntiEntropy time.Duration `setting:"anti_entropy" help:"between two comparisons with a neighbour, give or take a quarter"`
	Quarantine  time.Duration `setting:"quarantine" help:"for how long the registrations of a node that is out of reach are kept"`
}

func defaults() *Settings {
	return &Settings{
		MaxEntries: 10_000, MaxBytes: 16 << 20, MaxMeta: registry.MaxMeta,
		AntiEntropy: 10 * time.Second, Quarantine: time.Hour,
	}
}

// Validate reports values that cannot work.
func (s *Settings) Validate() (problems []plugin.Problem) {
	check := func(ok bool, path, text string) {
		if !ok {
			problems = append(problems, plugin.Problem{Path: path, Text: text, Hint: "leave it out for the default"})
		}
	}
	check(s.MaxEntries >= 1 && s.MaxEntries <= 1<<20, "max_entries", "must be from 1 to 1048576")
	check(s.MaxBytes >= 1<<10 && s.MaxBytes <= 1<<30, "max_bytes", "must be from 1024 to 1073741824")
	check(s.MaxMeta >= 0 && s.MaxMeta <= registry.MaxMeta, "max_meta", "must be from 0 to 65536")
	check(s.AntiEntropy >= 100*time.Millisecond && s.AntiEntropy <= time.Hour, "anti_entropy", "must be from 100ms to 1h")
	check(s.Quarantine >= time.Second && s.Quarantine <= 24*time.Hour, "quarantine", "must be from 1s to 24h")
	return problems
}
