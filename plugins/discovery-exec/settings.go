package discoveryexec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section discovery.exec.
type Settings struct {
	Command string            `setting:"command" help:"absolute path of the command; it gets the name of the node as its last argument"`
	Args    []string          `setting:"args" help:"arguments before the name of the node"`
	Env     map[string]string `setting:"env" help:"its environment; beside these it sees PATH and BARREL_NODE, and nothing of ours" secret:"true"`
	Timeout time.Duration     `setting:"timeout" help:"for one run; what still runs then is killed"`
	TTL     time.Duration     `setting:"ttl" help:"for how long an answer may be used without asking again; 0s: the resolver decides"`
	AtOnce  int               `setting:"at_once" help:"how many may run at the same time, 1 to 64"`
}

func defaults() *Settings {
	return &Settings{Env: map[string]string{}, Timeout: 5 * time.Second, AtOnce: 4}
}

// Validate reports all that is wrong with the values. Whether the command exists is not
// its business.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	add := func(path, text, hint string) {
		problems = append(problems, plugin.Problem{Path: path, Text: text, Hint: hint})
	}
	switch {
	case s.Command == "":
		add("command", "is empty", "name a program, as /usr/local/bin/where-is")
	case !filepath.IsAbs(s.Command):
		add("command", fmt.Sprintf("%q is no absolute path", s.Command), "programs are not searched for; write the whole path")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		if key == "" || strings.ContainsAny(key, "=\x00") {
			add("env", fmt.Sprintf("%q is no name of a variable", key), "")
		}
	}
	if s.Timeout <= 0 {
		add("timeout", fmt.Sprintf("must be longer than nothing, got %s", s.Timeout), "write a duration such as 5s")
	}
	if s.TTL < 0 {
		add("ttl", fmt.Sprintf("must not be negative, got %s", s.TTL), "write 0s to let the resolver decide")
	}
	if s.AtOnce < 1 || s.AtOnce > 64 {
		add("at_once", fmt.Sprintf("must be 1 to 64, got %d", s.AtOnce), "")
	}
	return problems
}
