package membershiphyparview

import (
	"time"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section membership.hyparview of the configuration.
type Settings struct {
	ActiveSize    int           `setting:"active_size" help:"neighbours, each with a link; 1 to 32"`
	PassiveSize   int           `setting:"passive_size" help:"members kept in reserve; at most 10000"`
	ARWL          int           `setting:"arwl" help:"steps of the walk that brings a newcomer to its neighbours; 1 to 32"`
	PRWL          int           `setting:"prwl" help:"steps left of that walk when the newcomer is put in reserve; less than arwl"`
	ShuffleLength int           `setting:"shuffle_length" help:"ids in one exchange of reserves; 3 to 16"`
	ShufflePeriod time.Duration `setting:"shuffle_period" help:"between two exchanges of reserves, a quarter more or less"`
	SuspectMin    time.Duration `setting:"suspect_min" help:"how long a member that several do not reach has to say that it lives"`
	SuspectMax    time.Duration `setting:"suspect_max" help:"the same for one that only one does not reach"`
	CounterPeriod time.Duration `setting:"counter_period" help:"between two steps of the slow counter; longer in clusters above 1000"`
	MaxMembers    int           `setting:"max_members" help:"most members to know, this node included; 2 to 100000"`

	tune func(*hyparview.Config, *liveness.Config) // of tests
}

// Bounds of the settings.
const (
	mostPassive = 10_000
	mostMembers = 100_000
	mostWalk    = 32
)

func defaults() *Settings {
	hv, lv := hyparview.Default(), liveness.Defaults()
	return &Settings{
		ActiveSize: hv.Active, PassiveSize: hv.Passive, ARWL: int(hv.ARWL), PRWL: int(hv.PRWL),
		ShuffleLength: 1 + hv.ShuffleActive + hv.ShufflePassive, ShufflePeriod: hv.Shuffle,
		SuspectMin: lv.SuspectMin, SuspectMax: lv.SuspectMax, CounterPeriod: lv.CounterMin, MaxMembers: lv.MaxMembers,
	}
}

// Validate reports values that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	add := func(path, text, hint string) {
		problems = append(problems, plugin.Problem{Path: path, Text: text, Hint: hint})
	}
	for _, n := range []struct {
		path               string
		value, least, most int
		hint               string
	}{
		{"active_size", s.ActiveSize, 1, hyparview.MaxActive, "use 1 to 32"},
		{"passive_size", s.PassiveSize, s.ActiveSize, mostPassive, "use active_size to 10000"},
		{"arwl", s.ARWL, 1, mostWalk, "use 1 to 32"},
		{"prwl", s.PRWL, 0, s.ARWL - 1, "make it less than arwl"},
		{"shuffle_length", s.ShuffleLength, 3, hyparview.MaxIDs, "use 3 to 16"},
		{"max_members", s.MaxMembers, 2, mostMembers, "use 2 to 100000"},
	} {
		if n.value < n.least || n.value > n.most {
			add(n.path, "is out of range", n.hint)
		}
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"shuffle_period", s.ShufflePeriod}, {"suspect_min", s.SuspectMin},
		{"suspect_max", s.SuspectMax}, {"counter_period", s.CounterPeriod},
	} {
		if d.value < 10*time.Millisecond {
			add(d.path, "must be at least 10ms", "leave it out for the default")
		}
	}
	if s.SuspectMax < s.SuspectMin {
		add("suspect_max", "is less than suspect_min", "make it at least as long")
	}
	return problems
}

// configs are the settings as the machines take them.
func (s *Settings) configs() (hyparview.Config, liveness.Config) {
	hv, lv := hyparview.Default(), liveness.Defaults()
	hv.Active, hv.Passive = s.ActiveSize, s.PassiveSize
	hv.ARWL, hv.PRWL, hv.Shuffle = uint8(s.ARWL), uint8(s.PRWL), s.ShufflePeriod
	hv.ShuffleActive = s.ShuffleLength * 3 / 8
	hv.ShufflePassive = s.ShuffleLength - 1 - hv.ShuffleActive
	lv.SuspectMin, lv.SuspectMax, lv.CounterMin, lv.MaxMembers = s.SuspectMin, s.SuspectMax, s.CounterPeriod, s.MaxMembers
	if s.tune != nil {
		s.tune(&hv, &lv)
	}
	return hv, lv
}
