package membershipfull

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section membership.full of the configuration.
type Settings struct {
	Retry          time.Duration `setting:"retry" help:"first wait before a lost member is dialed again; doubles from try to try"`
	RetryMax       time.Duration `setting:"retry_max" help:"longest wait between two dials of a lost member"`
	SuspectTimeout time.Duration `setting:"suspect_timeout" help:"how long a member whose link fell is suspect before it is down"`
	DialTimeout    time.Duration `setting:"dial_timeout" help:"how long one dial may take"`
	JoinTimeout    time.Duration `setting:"join_timeout" help:"how long to wait for the answer of the node that one joins through"`
	SyncPeriod     time.Duration `setting:"sync_period" help:"how often to compare notes with a random neighbour"`
	ForgetDown     time.Duration `setting:"forget_down" help:"how long a member that is down stays on the list; it is dialed for longer"`
	ForgetLeft     time.Duration `setting:"forget_left" help:"how long a member that left stays on the list"`
	MaxMembers     int           `setting:"max_members" help:"most nodes to know, this one included; 2 to 4096"`
}

const mostMembers = 4096

func defaults() *Settings {
	return &Settings{
		Retry:          time.Second,
		RetryMax:       30 * time.Second,
		SuspectTimeout: 2 * time.Second,
		DialTimeout:    5 * time.Second,
		JoinTimeout:    10 * time.Second,
		SyncPeriod:     30 * time.Second,
		ForgetDown:     10 * time.Minute,
		ForgetLeft:     time.Hour,
		MaxMembers:     mostMembers,
	}
}

// Validate reports values that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"retry", s.Retry}, {"retry_max", s.RetryMax}, {"suspect_timeout", s.SuspectTimeout},
		{"dial_timeout", s.DialTimeout}, {"join_timeout", s.JoinTimeout}, {"sync_period", s.SyncPeriod},
		{"forget_down", s.ForgetDown}, {"forget_left", s.ForgetLeft},
	} {
		if d.value <= 0 {
			problems = append(problems, plugin.Problem{Path: d.path, Text: "must be more than zero", Hint: "leave it out for the default"})
		}
	}
	if s.RetryMax < s.Retry {
		problems = append(problems, plugin.Problem{Path: "retry_max", Text: "is less than retry", Hint: "make it at least as long"})
	}
	if s.MaxMembers < 2 || s.MaxMembers > mostMembers {
		problems = append(problems, plugin.Problem{Path: "max_members", Text: "must be from 2 to 4096"})
	}
	return problems
}
