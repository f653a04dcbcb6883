//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// A node gets another address while it runs.
func testMoved(t *testing.T) { move(t, newLab(t, plan{nodes: 5, named: true})) }

// The same, and the address that it no longer has is its name.
func testMovedFromItsName(t *testing.T) { move(t, newLab(t, plan{nodes: 5})) }

func move(t *testing.T, l *lab) {
	t.Helper()
	mover, others := l.stations[4], l.stations[:4]
	moved := address(200)
	var flows []*flow
	for _, o := range others {
		flows = append(flows, l.flow(mover, o), l.flow(o, mover))
	}
	l.eventually(forming, "messages come", flowing(flows, 10))
	dialed := mover.dialed()
	mover.ip("address del %s/24 dev eth0", mover.addr)
	mover.ip("address add %s/24 dev eth0", moved)
	began := time.Now()
	l.eventually(healing, "every link has moved", mover.moved(others))
	l.eventually(healing, "messages come", flowing(flows, 50))
	l.t.Logf("the last link has moved, and messages come again, %v after the address", time.Since(began).Round(time.Millisecond))
	l.eventually(healing, "the others list it at its new address", all(whole(l.stations...), listedAt(moved, mover, others)))
	mover.arrived(flows, dialed)
	l.unharmed(others)
	for _, s := range l.stations {
		if down := s.seen.told("link down"); slices.ContainsFunc(down, func(e admin.Event) bool { return e.Extra["code"] == "silent" }) {
			t.Errorf("%s lost links: %v", s.node, down)
		}
	}
}

// flowing: so many messages more have come of each flow.
func flowing(flows []*flow, more int) fact {
	var facts []fact
	for _, f := range flows {
		facts = append(facts, f.came(more))
	}
	return all(facts...)
}

// dialed are the nodes to which a station has dialed the link.
func (s *station) dialed() map[name.Node]bool {
	s.lab.t.Helper()
	var links []admin.Link
	if err := s.command(&links, "links"); err != nil {
		s.lab.t.Fatal(err)
	}
	dialed := map[name.Node]bool{}
	for _, link := range links {
		dialed[link.Node] = link.Direction == "dialed"
	}
	return dialed
}

// moved: the links of a station to others have moved by themselves.
func (s *station) moved(others []*station) fact {
	return func() string {
		for _, o := range others {
			if len(s.seen.told("link moved", o)) == 0 {
				return "the link to " + o.node.String() + " has not moved"
			}
		}
		return ""
	}
}

// arrived checks what became of the messages from and to a station that has moved: on
// links that it had dialed, and that moved with all that was on its way, nothing is lost.
func (s *station) arrived(flows []*flow, dialed map[name.Node]bool) {
	t := s.lab.t
	t.Helper()
	for _, f := range flows {
		f.stop()
		s.lab.eventually(healing, "all of it has come", f.last)
		peer := f.to
		if peer == s {
			peer = f.from
		}
		lost := f.lost(s.lab)
		t.Logf("%s, dialed %v: %d sent, %d lost", f, dialed[peer.node], len(f.sent), lost)
		if dialed[peer.node] && lost > 0 {
			t.Errorf("%s: %d messages of %d were lost, on a link that moved", f, lost, len(f.sent))
		}
	}
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
