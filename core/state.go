package core

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// state is what is the case, as the events that would lead there from nothing: links,
// members, neighbours, this node itself, services.
func (l *life) state() (all []Event) {
	for _, info := range l.links.List() {
		all = append(all, l.initial("link", "up", Event{Node: info.Peer.Node, Extra: map[string]string{"address": info.Conn.Remote.String()}}))
	}
	members := l.membership.Members()
	for _, m := range members {
		if m.Node != l.name {
			all = append(all, l.memberState("member", stateWord(m.State), m))
		}
	}
	for _, m := range members {
		if m.Neighbour {
			all = append(all, l.memberState("peer", "up", m))
		}
	}
	for _, own := range []struct {
		what string
		is   bool
	}{{"left", l.left.Load()}, {"isolated", l.isolated.Load()}, {"partitioned", l.partitioned.Load()}} {
		if own.is {
			all = append(all, l.initial("node", own.what, Event{Node: l.name}))
		}
	}
	for _, service := range l.registry.List("") {
		for _, entry := range l.registry.Lookup(service.Service) {
			all = append(all, l.serviceState(entry))
		}
	}
	return all
}

// stateWord is the type of the event that leads to a state.
func stateWord(s membership.State) string {
	if s == membership.Alive {
		return "up"
	}
	return string(s)
}

func (l *life) memberState(kind, what string, m membership.Member) Event {
	extra := map[string]string{"incarnation": formatUint(m.Incarnation)}
	if len(m.Endpoints) > 0 {
		extra["address"] = m.Endpoints[0].String()
	}
	return l.initial(kind, what, Event{Node: m.Node, Extra: extra})
}

func (l *life) serviceState(e registry.Entry) Event {
	return l.initial("service", string(registry.Registered), Event{
		Node: e.Ref.Node, Name: e.Service.String(), Extra: map[string]string{"ref": e.Ref.String()},
	})
}

// initial makes an event of something that is the case.
func (l *life) initial(kind, what string, e Event) Event {
	e.Time, e.Kind, e.Type = time.Now().UTC(), kind, what
	if e.Extra == nil {
		e.Extra = map[string]string{}
	}
	e.Extra["initial"] = "true"
	return e
}
