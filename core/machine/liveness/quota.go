package liveness

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// quota is what one observer may still accuse.
type quota struct {
	observer overlay.Peer
	tokens   float64
	at       overlay.Time
}

// allowed takes one accusation off the quota of an observer.

func (m *Machine) allowed(p overlay.Peer) bool {
	most := float64(m.cfg.Accusations)
	i := slices.IndexFunc(m.quota, func(q quota) bool { return q.observer == p })
	if i < 0 {
		m.quota = slices.DeleteFunc(m.quota, func(q quota) bool { return q.filled(m.now, m.cfg.AccuseRate) >= most })
		m.quota = append(m.quota, quota{observer: p, tokens: most, at: m.now})
		i = len(m.quota) - 1
	}
	q := &m.quota[i]
	q.tokens, q.at = min(q.filled(m.now, m.cfg.AccuseRate), most), m.now
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}

func (q *quota) filled(now overlay.Time, rate float64) float64 {
	return q.tokens + rate*(now-q.at).Seconds()
}
