package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// health is how far this node should trust its own eyes: 0 is well. Each incident makes
// it worse by one, a time without makes it better.
type health struct {
	score int
	since overlay.Time // of the last change
}

func (h *health) worse(now overlay.Time) {
	h.score, h.since = min(h.score+1, maxHealth), now
}

func (h *health) tick(now overlay.Time) {
	if h.score > 0 && now-h.since >= calmHealth {
		h.score, h.since = h.score-1, now
	}
}

// stretch makes a duration longer for a node that is not well.
func (h *health) stretch(d overlay.Time) overlay.Time { return d * overlay.Time(h.score+1) }
