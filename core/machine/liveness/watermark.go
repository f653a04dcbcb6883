package liveness

import "github.com/barrelp2p/barrel/core/machine/overlay"

// mark is the last life of a member that is on the list no more.
type mark struct {
	peer overlay.Peer
	ref  uint32
	inc  uint64
	at   overlay.Time
}

// watermarks remember who is over, so that an old word does not bring it back.
type watermarks struct {
	byPeer map[overlay.Peer]mark
	queue  []mark // in the order in which they came; some are out of date
}

// past reports whether a word is not later than the last life known.
func (w *watermarks) past(p overlay.Peer, inc uint64, ref uint32) bool {
	k, ok := w.byPeer[p]
	return ok && (inc < k.inc || inc == k.inc && ref <= k.ref)
}

// put remembers a life; the oldest gives way if there are too many.
func (w *watermarks) put(now overlay.Time, p overlay.Peer, inc uint64, ref uint32, most int) {
	if w.byPeer == nil {
		w.byPeer = map[overlay.Peer]mark{}
	}
	k := mark{peer: p, inc: inc, ref: ref, at: now}
	w.byPeer[p] = k
	w.queue = append(w.queue, k)
	for len(w.queue) > most {
		w.shift()
	}
}

func (w *watermarks) forget(p overlay.Peer) { delete(w.byPeer, p) }

// expire forgets what is older than a moment.
func (w *watermarks) expire(before overlay.Time) {
	for len(w.queue) > 0 && w.queue[0].at < before {
		w.shift()
	}
}

func (w *watermarks) shift() {
	k := w.queue[0]
	w.queue = w.queue[1:]
	if w.byPeer[k.peer] == k {
		delete(w.byPeer, k.peer)
	}
}
