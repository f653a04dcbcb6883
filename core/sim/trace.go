package sim

import "github.com/barrelp2p/barrel/core/machine/overlay"

// mix adds a number to a hash: multiply and fold, as wyhash does.
func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// Mix adds a number to a digest, for Message.Digest.
func Mix(digest, number uint64) uint64 { return mix(digest, number) }

func (w *World[M]) trace(ev *event[M]) {
	h := mix(w.digest, uint64(w.now))
	h = mix(h, uint64(ev.kind)<<56|uint64(ev.reason)<<48|uint64(ev.class)<<40^uint64(ev.to))
	h = mix(h, uint64(ev.from)<<32^ev.inc)
	switch ev.kind {
	case evMsg:
		h = mix(h, ev.msg.Digest())
	case evTimer:
		h = mix(h, uint64(ev.timer.Owner)<<40|uint64(ev.timer.Kind)<<32|uint64(ev.timer.Gen))
		h = mix(h, ev.timer.Key)
	}
	w.digest = h
}

// Traffic is what was sent of one class.
type Traffic struct{ Messages, Bytes uint64 }

// Totals is what was sent by all nodes, by class.
type Totals [overlay.Classes]Traffic

// Sum is the traffic of all classes.
func (t *Totals) Sum() Traffic {
	var sum Traffic
	for _, c := range t {
		sum.Messages, sum.Bytes = sum.Messages+c.Messages, sum.Bytes+c.Bytes
	}
	return sum
}

// Minus is what was sent since.
func (t *Totals) Minus(before *Totals) Totals {
	var d Totals
	for c := range t {
		d[c] = Traffic{t[c].Messages - before[c].Messages, t[c].Bytes - before[c].Bytes}
	}
	return d
}

// Totals is what was sent since the beginning of the world.
func (w *World[M]) Totals() Totals { return w.totals }
