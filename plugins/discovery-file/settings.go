package discoveryfile

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section discovery.file.
type Settings struct {
	Dir  string        `setting:"dir" help:"the folder of the <node>.endpoint files, shared by the nodes; empty: discovery below node.data_dir"`
	Poll time.Duration `setting:"poll" help:"how often the folder is read besides file events, which network file systems do not send; at least 10ms"`
}

func defaults() *Settings { return &Settings{Poll: 5 * time.Second} }

// Validate reports values that cannot work.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	if strings.ContainsRune(s.Dir, 0) {
		problems = append(problems, plugin.Problem{Path: "dir", Text: "has a NUL byte in it", Hint: "write the path of a folder"})
	}
	if s.Poll < 10*time.Millisecond {
		problems = append(problems, plugin.Problem{Path: "poll", Text: "shorter than 10ms", Hint: "write 5s"})
	}
	return problems
}

// folder is where the endpoint files are.
func (s *Settings) folder(dataDir string) string {
	if s.Dir == "" {
		return filepath.Join(dataDir, "discovery")
	}
	return filepath.Clean(s.Dir)
}
