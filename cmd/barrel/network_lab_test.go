//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

// lab is a network of its own: a namespace with switches, and one for each station, which
// is joined to a switch by its cable.
//
//	hub        br0 ─┬─ p1 ┄┄ eth0 10.77.0.1   n1
//	                ├─ p2 ┄┄ eth0 10.77.0.2   n2
//	           br1 ─┴─ p3 ┄┄ eth0 10.77.0.3   n3
type lab struct {
	t        *testing.T
	hub      *space
	stations []*station
}

// plan is what a lab is made of. The host part of the names is the address, or with
// named, a word that says nothing about where the node is, so that only static endpoints
// and the members themselves tell it.
type plan struct {
	nodes int
	seeds int // the first so many are the contacts of all; 1 if 0
	named bool
	quic  map[int]string // more settings of the transport of a node, by its number
}

// newLab makes a network with its stations, starts a node on each, and waits until all
// know each other.
func newLab(t *testing.T, p plan) *lab {
	t.Helper()
	l := &lab{t: t, hub: mustSpace(t)}
	l.switches("link add br0 type bridge", "link add br1 type bridge", "link set br0 up", "link set br1 up")
	for i := 1; i <= p.nodes; i++ {
		l.stations = append(l.stations, l.newStation(i, &p))
	}
	for _, s := range l.stations {
		s.configure(&p)
		s.start()
	}
	l.eventually(forming, "all nodes are members", whole(l.stations...))
	return l
}

func mustSpace(t *testing.T) *space {
	t.Helper()
	s, err := newSpace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// switches runs ip where the switches are.
func (l *lab) switches(commands ...string) {
	l.t.Helper()
	if err := l.hub.ip(strings.Join(commands, "\n")); err != nil {
		l.t.Fatal(err)
	}
}

// plug puts the cables of stations into a switch, or, with "", into none: what they send
// is lost in silence.
func (l *lab) plug(into string, stations ...*station) {
	l.t.Helper()
	for _, s := range stations {
		if into == "" {
			l.switches("link set " + s.port() + " nomaster")
		} else {
			l.switches("link set " + s.port() + " master " + into)
		}
	}
}

func address(i int) string { return fmt.Sprintf("10.77.0.%d", i) }

func hardware(i int) string { return fmt.Sprintf("02:00:00:00:00:%02x", i) }

// nowhere is a hardware address that nobody has.
const nowhere = "02:00:00:00:ff:ff"

// mute makes packets from a station to others vanish, and no others: it believes them to
// be at a hardware address that nobody has.
func (s *station) mute(others ...*station) {
	s.lab.t.Helper()
	for _, o := range others {
		s.ip("neigh replace %s lladdr %s dev eth0 nud permanent", o.addr, nowhere)
	}
}

// unmute ends what mute began.
func (s *station) unmute(others ...*station) {
	s.lab.t.Helper()
	for _, o := range others {
		s.ip("neigh del %s dev eth0", o.addr)
	}
}
