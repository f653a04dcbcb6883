package liveness

import (
	"maps"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// quota is what one observer may still accuse.
type quota struct {
	tokens float64
	at     overlay.Time
}

// quotasKept is how many observers there may be before those whose quota is full are forgotten.
const quotasKept = 256

// What all whom no link proves may accuse together, for each member: enough for half of them to die at
// once, and for each to be accused anew in the time in which a counter expires.
const (
	strangersAccuse = 2.0
	strangersRate   = 1.0 / 15 // per second
)

// crowd is what many accused together, less what was long ago.
type crowd struct {
	accused float64
	at      overlay.Time
}

// allowed takes one accusation off the quota of an observer. Whom this node has no link to may
// have been invented: they have one together as well.
func (m *Machine) allowed(p overlay.Peer) bool {
	most := float64(m.cfg.Accusations)
	q := m.quota[p]
	if q == nil {
		q = &quota{tokens: most, at: m.now}
		m.forgetQuotas()
		m.quota[p] = q
	}
	q.tokens, q.at = min(q.filled(m.now, m.cfg.AccuseRate), most), m.now
	if q.tokens < 1 || m.link(p) == nil && !m.strangers.accuse(m.now, float64(m.table.living)) {
		return false
	}
	q.tokens--
	return true
}

func (c *crowd) accuse(now overlay.Time, living float64) bool {
	c.accused = max(c.accused-strangersRate*living*(now-c.at).Seconds(), 0)
	c.at = now
	if c.accused+1 > strangersAccuse*living {
		return false
	}
	c.accused++
	return true
}

// forgetQuotas makes room, now and then: a full quota is that of anybody.
func (m *Machine) forgetQuotas() {
	if len(m.quota) < m.quotaRoom {
		return
	}
	maps.DeleteFunc(m.quota, func(_ overlay.Peer, q *quota) bool {
		return q.filled(m.now, m.cfg.AccuseRate) >= float64(m.cfg.Accusations)
	})
	m.quotaRoom = max(2*len(m.quota), quotasKept)
}

func (q *quota) filled(now overlay.Time, rate float64) float64 {
	return q.tokens + rate*(now-q.at).Seconds()
}
