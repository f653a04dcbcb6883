package membershipfull

import (
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/fullmesh"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// snapshot is what the machine knew after a step. It does not change.
type snapshot struct {
	self   fullmesh.Member
	others []fullmesh.Member // sorted
	left   bool
	near   membership.View
}

func newSnapshot(m *fullmesh.Machine) *snapshot {
	s := &snapshot{left: m.HasLeft(), near: m.View()}
	self := m.Self()
	for _, member := range m.Members() {
		if member.Node == self {
			s.self = member
		} else {
			s.others = append(s.others, member)
		}
	}
	return s
}

// members is the list for the contract. epoch is the zero of the machine's time.
func (s *snapshot) members(epoch time.Time, key trust.Key, self []name.Address) []membership.Member {
	list := make([]membership.Member, 0, len(s.others)+1)
	for _, m := range s.others {
		list = append(list, convert(m, epoch))
	}
	own := convert(s.self, epoch)
	own.Key, own.Endpoints = key, self
	at, _ := slices.BinarySearchFunc(list, own.Node, func(m membership.Member, n name.Node) int { return m.Node.Compare(n) })
	return slices.Insert(list, at, own)
}

func convert(m fullmesh.Member, epoch time.Time) membership.Member {
	return membership.Member{
		Node: m.Node, Key: m.Key, State: m.State, Incarnation: m.Incarnation,
		Endpoints: slices.Clone(m.Endpoints), Neighbour: m.Neighbour,
		Since: epoch.Add(m.Since).UTC().Round(0),
	}
}

func (s *snapshot) view() membership.View {
	return membership.View{
		Active:  append([]name.Node{}, s.near.Active...),
		Passive: append([]name.Node{}, s.near.Passive...),
	}
}

func (s *snapshot) summary() string {
	if s.left {
		return "left; join to be back"
	}
	count := map[membership.State]int{membership.Alive: 1}
	for _, m := range s.others {
		count[m.State]++
	}
	return fmt.Sprintf("%d alive, %d suspect, %d down, %d left",
		count[membership.Alive], count[membership.Suspect], count[membership.Down], count[membership.Left])
}
