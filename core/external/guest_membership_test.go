package external

import (
	"context"
	"fmt"
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
type oddMembership struct {
	mu    sync.Mutex
	view  membership.View
	left  chan struct{}
	leave sync.Once
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
	if in.Kind == membership.LinkUp {
		m.view.Active = append(m.view.Active, in.Peer.Node)
	}
}

func (*oddMembership) Members() []membership.Member { return nil }

func (m *oddMembership) View() membership.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return membership.View{Active: append([]name.Node{}, m.view.Active...), Passive: append([]name.Node{}, m.view.Passive...)}
}
