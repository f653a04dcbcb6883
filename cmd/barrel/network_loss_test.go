//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

// lossy is for how long packets are lost in one direction.
const lossy = 20 * time.Second

// A node hears the others, and they do not hear it.
func testMute(t *testing.T) {
	l := newLab(t, plan{nodes: 5})
	sick, healthy := l.stations[4], l.stations[:4]
	sick.mute(healthy...)
	l.sickness(sick, healthy)
	sick.unmute(healthy...)
	l.eventually(healing, "whole again", whole(l.stations...))
}

// A node is heard by the others, and does not hear them.
func testDeaf(t *testing.T) {
	l := newLab(t, plan{nodes: 5})
	sick, healthy := l.stations[4], l.stations[:4]
	for _, s := range healthy {
		s.mute(sick)
	}
	l.sickness(sick, healthy)
	for _, s := range healthy {
		s.unmute(sick)
	}
	l.eventually(healing, "whole again", whole(l.stations...))
}

// sickness waits while a node loses packets, and until those that lose none list each
// other as alive. Whatever it says of them, none of them may be down to another.
func (l *lab) sickness(sick *station, healthy []*station) {
	l.t.Helper()
	l.eventually(lossy, "the loss shows: it is nobody's neighbour", l.statuses(func(s admin.Status) string {
		if s.Node != sick.node && slices.Contains(s.View.Active, sick.node) {
			return "has it as a neighbour"
		}
		return ""
	}))
	l.eventually(lossy+healing, "the loss lasts, and the healthy list each other", all(since(time.Now(), lossy), whole(healthy...)))
	for _, s := range healthy {
		if down := s.seen.told("member down", healthy...); len(down) > 0 {
			l.t.Errorf("%s was told that healthy nodes are down: %v", s.node, down)
		}
	}
}

// The interface of a node is down for a while.
func testInterface(t *testing.T) {
	l := newLab(t, plan{nodes: 4, named: true})
	victim, others := l.stations[3], l.stations[:3]
	down := time.Now()
	victim.ip("link set eth0 down")
	l.eventually(beyond, "the interface is down for 10s and the others notice", all(since(down, 10*time.Second), listed("down", others, []*station{victim})))
	victim.ip("link set eth0 up")
	l.eventually(healing, "whole again", whole(l.stations...))
	l.unharmed(others)
}

// unharmed checks that nobody was told of nodes that they were down.
func (l *lab) unharmed(stations []*station) {
	l.t.Helper()
	for _, s := range stations {
		if down := s.seen.told("member down", stations...); len(down) > 0 {
			l.t.Errorf("%s was told that others are down: %v", s.node, down)
		}
	}
}
