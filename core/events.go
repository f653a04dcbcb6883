package core

import (
	"context"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Event is one thing that happened, as `barrel events` shows it. Kinds and types: peer
// (up, down), member (up, suspect, down, left, conflict), service (registered, updated,
// unregistered, down, conflict), node (joined, left, isolated, connected, partitioned, healed), link (up, down, moved), trust (refused,
// pinned, removed, mode), plugin (a part's new state). Type "gap" stands for events that were lost because the reader
// was too slow; Extra["count"] says how many.
type Event = admin.Event

// Subscription is a reader of events. Next returns them in order; it must be closed.
type Subscription struct {
	kinds []string
	sub   *kernel.Subscription[Event]
	held  []Event // told first: what was the case, or the event behind a gap
}

// subscriptionSize is how many events wait for a slow reader.
const subscriptionSize = 1024

// Subscribe returns the events of the kinds named, all when none is, from now on until
// the node has stopped. Before Start it is for the life that is to come.
func (n *Node) Subscribe(kinds ...string) *Subscription {
	return subscribe(n.events.Load(), kinds)
}

// SubscribeWithState is Subscribe that begins with what is the case: the events that lead
// from nothing to the present state, each with Extra["initial"] = "true". What changes at
// that very moment may be told twice, and is never missed.
func (n *Node) SubscribeWithState(kinds ...string) (*Subscription, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	s := subscribe(l.events, kinds)
	s.held = l.state()
	return s, nil
}

func subscribe(bus *kernel.Bus[Event], kinds []string) *Subscription {
	return &Subscription{kinds: kinds, sub: bus.Subscribe(subscriptionSize)}
}

// Next waits for the next event. Its error is that of ctx, or kernel.ErrClosed when
// the node has stopped.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if len(s.held) > 0 {
			e := s.held[0]
			s.held = s.held[1:]
			if s.wants(e) {
				return e, nil
			}
			continue
		}
		e, gap, err := s.sub.Next(ctx)
		if err != nil {
			return Event{}, err
		}
		s.held = []Event{e}
		if gap > 0 {
			return gapEvent(gap), nil
		}
	}
}

// Close ends the subscription. Idempotent.
func (s *Subscription) Close() { s.sub.Close() }

func (s *Subscription) wants(e Event) bool {
	return len(s.kinds) == 0 || slices.Contains(s.kinds, e.Kind)
}

func (l *life) publish(kind, what string, node name.Node, reason string, extra map[string]string) {
	l.events.Publish(Event{Time: time.Now().UTC(), Kind: kind, Type: what, Node: node, Reason: reason, Extra: extra})
}

// onMember takes the events of the membership: services first, so that whoever hears
// of a death no longer finds the dead.
func (l *life) onMember(e membership.Event) {
	switch e.Type {
	case membership.PeerUp:
		l.broadcast.Up(e.Node)
	case membership.PeerDown:
		l.broadcast.Down(e.Node)
	case membership.MemberUp:
		l.outlive(e)
	case membership.Isolated, membership.Connected:
		l.isolated.Store(e.Type == membership.Isolated)
	case membership.Partitioned, membership.Healed:
		l.partitioned.Store(e.Type == membership.Partitioned)
	}
	l.tellRegistry(e)
	kind, what := splitType(string(e.Type))
	extra := map[string]string{}
	if e.Incarnation > 0 {
		extra["incarnation"] = formatUint(e.Incarnation)
	}
	if len(e.Endpoints) > 0 {
		extra["address"] = e.Endpoints[0].String()
	}
	l.publish(kind, what, e.Node, e.Reason, extra)
}

func (l *life) onService(e registry.Event) {
	l.services.Observe(e)
	l.events.Publish(Event{
		Time: time.Now().UTC(), Kind: "service", Type: string(e.Type), Node: e.Entry.Ref.Node,
		Name: e.Entry.Service.String(), Reason: e.Reason, Extra: map[string]string{"ref": e.Entry.Ref.String()},
	})
}

// forwardParts tells of the kernel's parts what its own bus says.
func (l *life) forwardParts(ctx context.Context, sub *kernel.Subscription[kernel.Event]) {
	defer sub.Close()
	for {
		e, _, err := sub.Next(ctx)
		if err != nil {
			return
		}
		l.events.Publish(Event{Time: e.Time.UTC(), Kind: "plugin", Type: string(e.State), Name: e.Part, Reason: e.Reason})
	}
}
