package liveness

import (
	"math"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// doubted: somebody takes members for down that others see. A doubt that all hear has its
// member speak; there is no need to say it again for a while.
func (m *Machine) doubted(from overlay.Peer, msg *Message) {
	entries := msg.Entries[:min(len(msg.Entries), maxEntries)]
	for i := range entries {
		e := &entries[i]
		r := m.table.find(e.Peer)
		switch {
		case r == nil || r.stamp(e.Inc, e.Ref) != 0:
		case m.isSelf(e.Peer):
			m.speak(from, len(entries))
		case from == overlay.Nobody && m.now-r.doubted >= doubtPause:
			r.doubted = m.now
		}
	}
}

// speak answers a doubt about this node's stamp; if it went to everybody, and named many, not
// all at once.
func (m *Machine) speak(from overlay.Peer, many int) {
	in := overlay.Time(0)
	if from == overlay.Nobody {
		if m.now < m.refute.back {
			return
		}
		in = m.between(0, min(m.spread(), overlay.Time(many)*speakEach))
		m.refute.back = m.now + in + doubtPause
	}
	m.raise()
	m.announce(in)
}

// spreadDoubt has members speak that somebody takes for down. This node itself may be
// one of them.
func (m *Machine) spreadDoubt(doubt []Entry) {
	for i := range doubt {
		if m.isSelf(doubt[i].Peer) && m.self().stamp(doubt[i].Inc, doubt[i].Ref) == 0 {
			m.speak(overlay.Nobody, len(doubt))
		}
	}
	m.sayAll(Everybody, Doubt, doubt)
}

// doubtLate has members speak before they expire: steps are not signed, and a forged one
// that ran ahead hides the true ones. A few nodes do so at first, and more the nearer it is, so that
// mostly one says it for all.
func (m *Machine) doubtLate(late []Entry) {
	var doubt []Entry
	oldest := overlay.Time(0)
	for i := range late {
		r := m.table.find(late[i].Peer)
		if len(doubt) == maxLateDoubts || m.now-r.moved < m.doubtful() || m.now-r.doubted < doubtPause || m.linked(r) {
			continue
		}
		oldest = max(oldest, m.now-r.moved)
		doubt = append(doubt, Entry{Peer: r.peer, State: Down, Inc: r.inc, Ref: r.ref})
	}
	if len(doubt) == 0 || len(m.links) == 0 || m.rng.Float64() >= m.urgency(oldest) {
		return
	}
	for i := range doubt {
		m.table.find(doubt[i].Peer).doubted = m.now
	}
	m.spreadDoubt(doubt)
	m.doubts = slices.Clone(doubt)
}

// unheard has the host look for paths to some of those whom this node doubted a tick ago and who
// have not spoken. Where the neighbours of some nodes are all among themselves, no broadcast comes
// out, and no doubt comes in; whoever gets a link to one of them makes it one cluster again
// before anybody is taken for dead. Who speaks has its path: to hide its steps buys nobody a dial.
// A link that is forced costs both ends another, so this is rare, and a node that is not well,
// and perhaps deaf, does not do it.
func (m *Machine) unheard() {
	silent := slices.DeleteFunc(m.doubts, func(e Entry) bool {
		r := m.table.find(e.Peer)
		return r == nil || !r.up() || r.stamp(e.Inc, e.Ref) != 0 || m.now-r.moved < m.doubtful()
	})
	m.doubts = nil
	if m.health.score > 0 || m.now < m.seekAt { // it may rather be this node that does not hear
		return
	}
	m.rng.Shuffle(len(silent), func(i, j int) { silent[i], silent[j] = silent[j], silent[i] })
	for _, e := range silent[:min(unheardEach, len(silent))] {
		m.seekAt = m.now + m.patience()
		m.out.Events = append(m.out.Events, overlay.Event{Kind: overlay.Unheard, Peer: e.Peer, Inc: e.Inc})
	}
}

// maySpeak reports whether a member was asked to speak so lately that its word may be on its way.
func (m *Machine) maySpeak(r *record) bool { return m.now-r.doubted <= min(speakWait, m.patience()/6) }

// doubtful is for how long a counter stands still before its member is doubted: long enough for
// STALE to bring a step that was merely lost.
func (m *Machine) doubtful() overlay.Time { return m.patience() * 4 / 5 }

// urgency is the chance that this node says a doubt about a counter that stands still for so
// long: lateDoubters of all nodes at first, all of them half of the time left later.
func (m *Machine) urgency(still overlay.Time) float64 {
	half := (m.patience() - m.doubtful()) / 2
	share := min(float64(still-m.doubtful())/float64(half), 1)
	return min(math.Pow(lateDoubters/float64(m.table.living), 1-share), 1)
}
