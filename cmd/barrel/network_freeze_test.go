//go:build linux

package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

const (
	nap     = 2 * time.Second
	verdict = 14 * time.Second // after which a node that is silent is down to all
	thaw    = 5 * time.Second  // after which it is back
)

// coma is for how long a process is frozen so that it counts as dead.
func coma() time.Duration {
	if long() {
		return 30 * time.Second
	}
	return 15 * time.Second
}

// A process that is frozen for a moment goes unnoticed; frozen for long it is dead,
// and when it goes on it is back by itself.
func testFrozen(t *testing.T) {
	l := newLab(t, plan{nodes: 5})
	victim, others := l.stations[4], l.stations[:4]
	l.settled()
	l.freeze(victim, nap)
	l.eventually(2*nap, "all is as before", all(since(time.Now(), nap), whole(l.stations...)))
	l.quiet()

	frozen := time.Now()
	victim.signal(syscall.SIGSTOP)
	l.eventually(verdict, "the frozen node is down", listed("down", others, []*station{victim}))
	l.eventually(coma(), "it stays down", all(since(frozen, coma()), listed("down", others, []*station{victim})))
	victim.signal(syscall.SIGCONT)
	l.eventually(thaw, "whole again", whole(l.stations...))
	l.unharmed(others)
}

// freeze stops a process for a while.
func (l *lab) freeze(s *station, d time.Duration) {
	l.t.Helper()
	begun := time.Now()
	s.signal(syscall.SIGSTOP)
	l.eventually(2*d, "frozen", since(begun, d))
	s.signal(syscall.SIGCONT)
}

// settled waits until nobody has been told anything for a moment and nobody is doubted,
// and drops what was told.
func (l *lab) settled() {
	l.t.Helper()
	alive := listed("alive", l.stations, l.stations)
	l.eventually(forming, "all has been told", func() string {
		for _, s := range l.stations {
			if told := s.seen.told("member"); len(told) > 0 && time.Since(told[len(told)-1].Time) < time.Second {
				return fmt.Sprintf("%s was told of %s just now", s.node, told[len(told)-1].Node)
			}
		}
		return alive()
	})
	for _, s := range l.stations {
		s.seen.forget()
	}
}

// quiet checks that nobody was told anything about members.
func (l *lab) quiet() {
	l.t.Helper()
	for _, s := range l.stations {
		if told := s.seen.told("member"); len(told) > 0 {
			l.t.Errorf("%s was told %v", s.node, told)
		}
	}
}
