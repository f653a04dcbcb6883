package transportmemory

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is what can be set about the memory transport.
type Settings struct {
	Listen      string        `setting:"listen" help:"address of this node in its network, as mem:1; empty takes the next free one"`
	Heartbeat   time.Duration `setting:"heartbeat" help:"how often each end of a link says that it lives"`
	IdleTimeout time.Duration `setting:"idle_timeout" help:"for how long a peer may be silent; at least three heartbeats"`
}

func defaults() *Settings {
	return &Settings{Heartbeat: time.Second, IdleTimeout: 3 * time.Second}
}

// Validate reports every value that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	if _, err := name.ParseAddress(s.Listen); err != nil && s.Listen != "" {
		problems = append(problems, plugin.Problem{Path: "listen", Text: err.Error(), Hint: "write it as mem:1"})
	}
	if s.Heartbeat <= 0 {
		problems = append(problems, plugin.Problem{Path: "heartbeat", Text: "must be more than zero", Hint: "the default is 1s"})
	}
	if s.Heartbeat > 0 && s.IdleTimeout < 3*s.Heartbeat {
		problems = append(problems, plugin.Problem{
			Path: "idle_timeout", Text: "is less than three heartbeats", Hint: "write at least " + (3 * s.Heartbeat).String(),
		})
	}
	return problems
}
