package fullmesh

import (
	"cmp"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// dialDue starts the dials that are due, the most urgent first, as many as may run.
func (m *Machine) dialDue() {
	if m.left {
		return
	}
	var due []*record
	busy, low := 0, 0
	for _, r := range m.records {
		switch {
		case r.dial.busy:
			busy++
			if r.dial.low {
				low++
			}
		case r.dial.due <= m.now && (!r.link.up || r.link.verify):
			due = append(due, r)
		}
	}
	slices.SortStableFunc(due, func(a, b *record) int {
		return cmp.Or(cmp.Compare(m.rank(a), m.rank(b)), cmp.Compare(a.dial.due, b.dial.due))
	})
	for _, r := range due {
		if r.dial.low = m.rank(r) == rankLow; r.dial.low && low >= maxLowDials || busy >= maxDials {
			break
		}
		busy++
		if r.dial.low {
			low++
		}
		m.connect(r)
	}
}

const (
	rankJoin = iota
	rankMember
	rankLow
)

func (m *Machine) rank(r *record) int {
	switch {
	case m.awaited(r.node):
		return rankJoin
	case r.up():
		return rankMember
	}
	return rankLow
}

func (m *Machine) connect(r *record) {
	timeout := m.cfg.DialTimeout
	if r.state == membership.Suspect && !m.awaited(r.node) {
		timeout = max(r.until-m.now, time.Millisecond)
	}
	r.dial.busy, r.dial.due, r.dial.last = true, Never, m.now
	for i := range m.joins {
		m.joins[i].dialed = m.joins[i].dialed || m.joins[i].node == r.node
	}
	m.do(Effect{Kind: Connect, Node: r.node, Known: r.known(), Timeout: timeout})
}

func (m *Machine) connected(node name.Node, err error) {
	r := m.find(node)
	if r == nil || !r.dial.busy {
		return
	}
	r.dial.busy = false
	verify := r.link.verify
	r.link.verify = false
	switch {
	case m.left:
	case err == nil && !r.link.up:
		m.knock(r)
	case err == nil:
	case verify:
		m.linkDown(membership.Peer{Node: node, Incarnation: r.link.inc}, transport.CloseNone)
	case !r.link.up:
		m.unreached(r, err)
	}
}

// knock sends JOIN over a link of which no LinkUp has come: either it is about to
// come, or the link is older than this machine and the answer will be its LinkUp.
func (m *Machine) knock(r *record) {
	m.send(r.node, bare(kindJoin))
	r.dial.due = m.now + m.backoff(r)
	r.dial.tries++
}

// unreached: a dial ended in vain. Who came to wait after it began gets another.
func (m *Machine) unreached(r *record, err error) {
	m.endDialed(r.node, err)
	m.retry(r)
	if m.awaited(r.node) {
		r.dial.due = m.now
	}
}

// retry plans what follows a dial or link that came to nothing.
func (m *Machine) retry(r *record) {
	r.dial.tries++
	switch {
	case r.state == membership.Left:
		r.dial.due = Never
	case !r.met && (!r.dial.hearsay || r.dial.tries >= hearsayTries):
		r.dial.due = Never
	case r.state == membership.Alive:
		m.suspect(r, ReasonUnreachable)
	case r.state == membership.Suspect && r.dial.tries >= suspectTries:
		m.down(r, ReasonUnreachable)
	case r.state == membership.Suspect:
		r.dial.due = m.now + m.between(m.cfg.Retry/4, m.cfg.Retry/2)
	default:
		r.dial.due = m.now + m.backoff(r)
	}
}

// again plans a dial after a link that ended in peace.
func (m *Machine) again(r *record, wait time.Duration) {
	if r.up() {
		r.dial.tries = 0
		r.dial.due = m.now + m.between(wait/2, wait+m.cfg.Retry/10)
	}
}

// backoff is how long to wait after so many tries: doubling, with chance, up to a
// limit that is higher for those who are on no list any more.
func (m *Machine) backoff(r *record) time.Duration {
	limit := m.cfg.RetryMax
	if r.met && r.state == "" {
		limit *= forgottenRare
	}
	wait := min(m.cfg.Retry<<min(r.dial.tries, 16), limit)
	return m.between(wait/2, wait)
}
