package core

import (
	"context"
	"slices"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// control is one life of a node as its control socket sees it; the documents are those
// of the command line.
type control struct{ *life }

var _ admin.Node = control{}

// Members lists the cluster.
func (c control) Members() []admin.Member {
	members := c.membership.Members()
	out := make([]admin.Member, len(members))
	for i, m := range members {
		out[i] = admin.Member{
			Node: m.Node, State: string(m.State), Incarnation: m.Incarnation,
			Neighbour: m.Neighbour, Since: m.Since.UTC(),
		}
		if len(m.Endpoints) > 0 {
			out[i].Address = m.Endpoints[0]
		}
	}
	return out
}

// View is the neighbourhood.
func (c control) View() admin.View {
	view := c.membership.View()
	return admin.View{Active: notNil(view.Active), Passive: notNil(view.Passive)}
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Links lists the open connections.
func (c control) Links() []admin.Link {
	active := c.membership.View().Active
	infos := c.links.List()
	out := make([]admin.Link, len(infos))
	for i, l := range infos {
		direction := "accepted"
		if l.Dialed {
			direction = "dialed"
		}
		out[i] = admin.Link{
			Node: l.Peer.Node, Address: l.Conn.Remote, Local: l.Conn.Local, Direction: direction,
			Age: admin.Duration(l.Age), Idle: admin.Duration(l.Idle), RTT: admin.Duration(l.Conn.RTT),
			BytesSent: l.Conn.BytesSent, BytesReceived: l.Conn.BytesReceived,
			Streams: l.Streams, ActiveView: slices.Contains(active, l.Peer.Node),
		}
	}
	return out
}

// Services lists the names that start with prefix.
func (c control) Services(prefix string) []admin.Service {
	counts := c.registry.List(prefix)
	out := make([]admin.Service, len(counts))
	for i, s := range counts {
		out[i] = admin.Service{Name: s.Service, Instances: s.Instances}
	}
	return out
}

// Lookup lists the instances of a service.
func (c control) Lookup(service name.Service) []admin.Instance {
	entries := c.registry.Lookup(service)
	out := make([]admin.Instance, len(entries))
	for i, e := range entries {
		out[i] = c.instance(e)
	}
	return out
}

func (c control) instance(e registry.Entry) admin.Instance {
	return admin.Instance{
		Name: e.Service, Node: e.Ref.Node, Ref: e.Ref, Meta: e.Meta,
		Local: e.Ref.Node == c.name, Since: e.Since.UTC(),
	}
}

// Events streams events until ctx ends.
func (c control) Events(ctx context.Context, watch admin.Watch, started func() error, emit func(admin.Event) error) error {
	sub := subscribe(c.events, watch.Kinds)
	defer sub.Close()
	if watch.Initial {
		sub.held = c.state()
	}
	if err := started(); err != nil {
		return err
	}
	for {
		e, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := emit(e); err != nil {
			return err
		}
	}
}

func countMembers(members []membership.Member) (c admin.MemberCounts) {
	for _, m := range members {
		switch m.State {
		case membership.Alive:
			c.Alive++
		case membership.Suspect:
			c.Suspect++
		case membership.Down:
			c.Down++
		case membership.Left:
			c.Left++
		}
	}
	return c
}
