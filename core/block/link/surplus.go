package link

import (
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Times for links that membership has let go.
const (
	surplusAfter = 2 * time.Second // unused for so long, such a link is proposed for closing
	surplusTries = 5               // the pause between proposals doubles so many times
)

// Release says that membership does not need the link to node any more: a surplus link.
// Once nobody holds it, no stream is open on it and nothing but what passes between
// neighbours (frames of membership and registry, broadcasts) has passed for a moment (2 s), both ends close it as they close idle links,
// which loses nothing, with the code for idle. The peer agrees if it does not need the link either,
// however long links stay open that nobody has released. Whoever holds, asks for or uses
// the link later takes that back.
func (l *Links) Release(node name.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[node]; p != nil && !p.up.Node.IsZero() && !p.surplus() {
		p.released, p.proposals, p.propose = time.Now(), 0, time.Time{}
	}
}

// surplus reports whether the link has been released, and not been used since. Callers
// hold l.mu.
func (p *peer) surplus() bool {
	if p.released.IsZero() {
		return false
	}
	for _, c := range p.conns {
		if c.lastWanted().After(p.released) {
			return false
		}
	}
	return true
}

// spare reports whether this side could do without the link in use, but for membership.
// Callers hold l.mu.
func (p *peer) spare(after time.Duration) bool {
	c := p.current
	return !p.held && c.open.Load() == 0 && time.Since(c.lastWanted()) >= after
}

// surplusNow returns the released links to propose for closing. A peer that needs its
// link is asked less and less often: it says so itself when it releases it.
func (l *Links) surplusNow(now time.Time) []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var idle []*conn
	for _, p := range l.peers {
		if p.current == nil || now.Before(p.propose) || !p.surplus() || !p.spare(surplusAfter) {
			continue
		}
		p.propose = now.Add(surplusAfter << min(p.proposals, surplusTries))
		p.proposals++
		idle = append(idle, p.current)
	}
	return idle
}
