//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core/admin"
)

// A node gets another address while it runs.
func testMoved(t *testing.T) { move(t, newLab(t, plan{nodes: 5, named: true})) }

// The same, and the address that it no longer has is its name.
func testMovedFromItsName(t *testing.T) { move(t, newLab(t, plan{nodes: 5})) }

func move(t *testing.T, l *lab) {
	t.Helper()
	mover, others := l.stations[4], l.stations[:4]
	moved := address(200)
	mover.ip("address del %s/24 dev eth0", mover.addr)
	mover.ip("address add %s/24 dev eth0", moved)
	l.eventually(healing, "the others list it at its new address", all(whole(l.stations...), listedAt(moved, mover, others)))
	l.unharmed(others)
}

// listedAt: some stations list another as alive at a host.
func listedAt(host string, whom *station, at []*station) fact {
	return func() string {
		for _, s := range at {
			members, err := s.members()
			if err != nil {
				return err.Error()
			}
			if m := members[whom.node.Base()]; m.Address.Host() != host {
				return fmt.Sprintf("%s lists %s at %s, %s", s.node, m.Node, m.Address, m.State)
			}
		}
		return ""
	}
}

// A node that advertises an address at which nobody reaches it is told by its status.
func testMisplaced(t *testing.T) {
	l := newLab(t, plan{nodes: 4, quic: map[int]string{4: `, advertise: "10.99.0.1:9100"`}})
	l.eventually(healing, "a warning", func() string {
		status, err := l.stations[3].status()
		if err != nil {
			return err.Error()
		}
		if !warned(status, "peers see this node at "+address(4)+", which it does not advertise (10.99.0.1:9100)") {
			return fmt.Sprintf("warnings: %q", status.Warnings)
		}
		return ""
	})
	for _, s := range l.stations[:3] {
		if status, err := s.status(); err != nil || warned(status, "advertise") {
			t.Errorf("%s: %v, warnings %q", s.node, err, status.Warnings)
		}
	}
}

func (s *station) status() (status admin.Status, err error) {
	err = s.command(&status, "status")
	return status, err
}

// warned: a status has a warning with a text in it.
func warned(s admin.Status, text string) bool {
	return slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, text) })
}
