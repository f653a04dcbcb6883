package discoverystatic

import (
	"maps"
	"slices"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section discovery.static.
type Settings struct {
	Nodes map[name.Node][]name.Address `setting:"nodes" help:"the table: for each node name@host its addresses host:port, best first"`
}

func defaults() *Settings { return &Settings{Nodes: map[name.Node][]name.Address{}} }

// Validate reports nodes without an address.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	for _, node := range slices.SortedFunc(maps.Keys(s.Nodes), name.Node.Compare) {
		if len(s.Nodes[node]) == 0 {
			problems = append(problems, plugin.Problem{
				Path: "nodes." + node.String(), Text: "no address", Hint: `write at least one, as ["10.0.0.1:9100"]`,
			})
		}
	}
	return problems
}
