package discoverystatic

import (
	"fmt"
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

// Validate reports nodes without an address, and addresses and names that are empty.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	for _, node := range slices.SortedFunc(maps.Keys(s.Nodes), name.Node.Compare) {
		problems = append(problems, checkNode(node, s.Nodes[node])...)
	}
	return problems
}

func checkNode(node name.Node, endpoints []name.Address) []plugin.Problem {
	path := "nodes." + node.String()
	var problems []plugin.Problem
	if node.IsZero() {
		problems = append(problems, plugin.Problem{Path: "nodes", Text: "a node without a name", Hint: "write name@host"})
	}
	if len(endpoints) == 0 {
		problems = append(problems, plugin.Problem{Path: path, Text: "no address", Hint: `write at least one, as ["10.0.0.1:9100"]`})
	}
	for i, endpoint := range endpoints {
		if endpoint.IsZero() {
			problems = append(problems, plugin.Problem{Path: fmt.Sprintf("%s[%d]", path, i), Text: "empty address", Hint: "write host:port"})
		}
	}
	return problems
}
