package external

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func club() membership.Factory {
	return plugin.Define("test", "a membership to test with", plugin.NoDefaults,
		func(membership.Env, *plugin.NoSettings) (membership.Plugin, error) {
			return &oddMembership{left: make(chan struct{})}, nil
		})
}

// oddMembership never gets in: a Join lasts until Leave is called, or nobody waits for it.
// Its view has whoever has a link, and in reserve as many nodes as it was asked to join.
// Whoever has sent a frame is a member, of which a new process knows nothing.
type oddMembership struct {
	mu      sync.Mutex
	view    membership.View
	members []membership.Member
	left    chan struct{}
	leave   sync.Once
}

func (*oddMembership) Start(context.Context) error { return nil }
func (*oddMembership) Stop(context.Context) error  { return nil }

func (m *oddMembership) Join(ctx context.Context, _ name.Node) error {
	m.mu.Lock()
	m.view.Passive = append(m.view.Passive, name.MustNode(fmt.Sprintf("join%d@h", len(m.view.Passive))))
	m.mu.Unlock()
	select {
	case <-m.left:
	case <-ctx.Done():
	}
	return membership.ErrLeft
}

func (m *oddMembership) Leave(context.Context) error {
	m.leave.Do(func() { close(m.left) })
	return nil
}

func (m *oddMembership) Input(in membership.Input) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch in.Kind {
	case membership.LinkUp:
		m.view.Active = append(m.view.Active, in.Peer.Node)
	case membership.Frame:
		m.members = append(m.members, membership.Member{Node: in.Peer.Node, State: membership.Alive, Incarnation: 1})
	default:
	}
}

func (m *oddMembership) Members() []membership.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.members)
}

func (m *oddMembership) View() membership.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return membership.View{Active: append([]name.Node{}, m.view.Active...), Passive: append([]name.Node{}, m.view.Passive...)}
}
