package fullmesh

import (
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Member is membership.Member with a time of the machine.
type Member struct {
	Node        name.Node
	Key         trust.Key
	State       membership.State
	Incarnation uint64
	Endpoints   []name.Address
	Neighbour   bool
	Since       time.Duration
}

// Members lists every member, this node included, sorted by node.
func (m *Machine) Members() []Member {
	list := make([]Member, 0, len(m.records)+1)
	list = append(list, m.self())
	for _, r := range m.records {
		if r.state != "" {
			list = append(list, Member{
				Node: r.node, Key: r.key, State: r.state, Incarnation: r.inc,
				Endpoints: slices.Clone(r.endpoints), Neighbour: r.link.joined, Since: r.since,
			})
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return a.Node.Compare(b.Node) })
	return list
}

func (m *Machine) self() Member {
	state := membership.Alive
	if m.left {
		state = membership.Left
	}
	return Member{Node: m.cfg.Self, State: state, Incarnation: m.cfg.Incarnation, Since: m.since}
}

// View is the neighbours, and the members that are none but are wanted as such.
func (m *Machine) View() membership.View {
	v := membership.View{Active: []name.Node{}, Passive: []name.Node{}}
	for _, r := range m.records {
		switch {
		case r.link.joined:
			v.Active = append(v.Active, r.node)
		case r.state != "" && r.state != membership.Left:
			v.Passive = append(v.Passive, r.node)
		}
	}
	return v
}

// Self is the node that this machine thinks for.
func (m *Machine) Self() name.Node { return m.cfg.Self }
