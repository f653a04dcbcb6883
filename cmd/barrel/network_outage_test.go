//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

// outage is longer than every timeout: by then whoever is away is down, by suspicion
// (8 s) and by counter (20 s).
func outage() time.Duration {
	if long() {
		return 5 * time.Minute
	}
	return 25 * time.Second
}

// beyond is how much later than the least an outage may end, as it lasts until its
// effects show.
const beyond = 30 * time.Second

// written is by when a node has written down what members it knows, with time to spare.
const written = 15 * time.Second

// Two halves that have given each other up become one cluster again.
func testPartition(t *testing.T) {
	l := newLab(t, plan{nodes: 6})
	left, right := l.stations[:3], l.stations[3:]
	cut := time.Now()
	l.plug("br1", right...)
	l.eventually(outage()+beyond, "each half is down to the other", all(since(cut, outage()),
		listed("down", left, right), listed("down", right, left), whole(left...), whole(right...)))
	l.plug("br0", right...)
	l.eventually(healing, "whole again", whole(l.stations...))
}

// Nobody reaches anybody, for long; then all do again.
func testOutage(t *testing.T) {
	l := newLab(t, plan{nodes: 5})
	l.blackout(func() {})
	l.eventually(healing, "whole again", whole(l.stations...))
}

// While nobody reaches anybody, the power fails as well.
func testOutageWithRestart(t *testing.T) {
	l := newLab(t, plan{nodes: 5, named: true})
	l.remembered(l.stations, l.stations)
	l.blackout(func() {
		l.kill(l.stations...)
		l.start(l.stations...)
	})
	l.eventually(healing, "whole again", whole(l.stations...))
}

// The same, and those that all were told to contact never come back: the others find
// each other by what they remember.
func testOutageWithoutSeeds(t *testing.T) {
	l := newLab(t, plan{nodes: 6, seeds: 2, named: true})
	seeds, rest := l.stations[:2], l.stations[2:]
	l.remembered(rest, rest)
	l.blackout(func() {
		l.kill(seeds...)
		l.kill(rest...)
		l.start(rest...)
	})
	l.eventually(healing, "whole again without seeds", whole(rest...))
}

// blackout cuts all cables, does something while nobody reaches anybody, and mends them
// once that has lasted for an outage.
func (l *lab) blackout(meanwhile func()) {
	l.t.Helper()
	cut := time.Now()
	l.plug("", l.stations...)
	l.eventually(beyond, "all are alone", l.alone())
	meanwhile()
	l.eventually(outage()+beyond, "the outage lasts, and all have given up the others", all(since(cut, outage()), l.alone(), l.forsaken()))
	l.plug("br0", l.stations...)
}

// alone: every node that runs has no neighbour, and says so.
func (l *lab) alone() fact {
	return l.statuses(func(s admin.Status) string {
		if len(s.View.Active) > 0 || !warned(s, "isolated") {
			return "not isolated"
		}
		return ""
	})
}

// forsaken: every node that runs lists only itself as alive.
func (l *lab) forsaken() fact {
	return l.statuses(func(s admin.Status) string {
		if s.Members.Alive+s.Members.Suspect != 1 {
			return fmt.Sprintf("lists %+v", s.Members)
		}
		return ""
	})
}

// statuses: what is asked of the status of every node that runs.
func (l *lab) statuses(ask func(admin.Status) string) fact {
	return func() string {
		for _, s := range l.stations {
			if s.child == nil {
				continue
			}
			status, err := s.status()
			if err != nil {
				return err.Error()
			}
			if text := ask(status); text != "" {
				return s.node.String() + ": " + text
			}
		}
		return ""
	}
}

// remembered waits until nodes have written down others, which is all that a node knows
// of members when it starts again.
func (l *lab) remembered(at, whom []*station) {
	l.t.Helper()
	l.eventually(written, "the members are written down", func() string {
		for _, s := range at {
			known, err := os.ReadFile(filepath.Join(s.dir, "membership", "known.json"))
			if err != nil {
				return err.Error()
			}
			for _, o := range whom {
				if s != o && !strings.Contains(string(known), fmt.Sprintf("%q", o.node)) {
					return fmt.Sprintf("%s has not written down %s", s.node, o.node)
				}
			}
		}
		return ""
	})
}
