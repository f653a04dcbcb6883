package liveness

import (
	"math"
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// records takes what nodes said of themselves, as others pass it on.
func (m *Machine) records(from overlay.Peer, msg *Message) {
	for i := range msg.Entries[:min(len(msg.Entries), maxEntries)] {
		e := &msg.Entries[i]
		switch {
		case e.Refused:
			m.spurned.spurn(m.now, e.ID)
			m.granted(e)
		case e.Peer == overlay.Nobody:
			m.stats.Strange++
		case !e.Verified:
			m.stats.Unverified++
		case e.Inc > m.cfg.MaxInc:
			m.stats.Future++
		case m.isSelf(e.Peer):
			m.ownPast(e)
		default:
			m.granted(e)
			if e.State == Alive && m.alive(e) || e.State == Left && m.leftBy(e) {
				m.learned(e.Peer, from)
			}
		}
	}
}

// ownPast: a word of this node that this node does not remember. If it is of this life,
// the next one is higher; of a later life there must be a twin with the same key.
func (m *Machine) ownPast(e *Entry) {
	me := m.self()
	if me.stamp(e.Inc, e.Ref) <= 0 {
		return
	}
	m.stats.Twins++
	if e.Inc == me.inc && e.Ref < math.MaxUint32 {
		m.table.change(me, func() { me.ref, me.count = e.Ref+1, 0 })
		m.announce(0)
	}
}

// alive: the node itself says so. It reports whether that is news.
func (m *Machine) alive(e *Entry) bool {
	r := m.table.find(e.Peer)
	if r == nil {
		return m.admit(e)
	}
	order := r.stamp(e.Inc, e.Ref)
	if order == 0 && r.proof == nil {
		r.proof = e.Proof
		return true
	}
	if order <= 0 {
		return false
	}
	m.supersede(r, e.Inc)
	m.table.change(r, func() { r.inc, r.ref, r.state = e.Inc, e.Ref, Alive })
	r.proof, r.since, r.held, r.expired = e.Proof, m.now, false, false
	m.rebase(r, e)
	m.clear(r)
	m.tell(r, 0)
	return true
}

// supersede ends an earlier life, for those who were told of it.
func (m *Machine) supersede(r *record, inc uint64) {
	if inc == r.inc {
		return
	}
	if r.told == Alive || r.told == Suspect {
		m.emit(overlay.MemberDown, r, overlay.Lost)
	}
	r.told, r.count, r.fell = Unknown, 0, longAgo
}

// rebase begins counting anew: each stamp has a counter of its own, so that what was
// forged of the one before ends with it.
func (m *Machine) rebase(r *record, e *Entry) {
	r.count, r.base, r.moved = e.Count, m.now-m.slack(), m.now-e.Age
}

// admit takes in a member that was not known, unless it is of the past; it reports
// whether it did.
func (m *Machine) admit(e *Entry) bool {
	switch {
	case m.marks.past(e.Peer, e.Inc, e.Ref):
		m.stats.Stale++
		return false
	case e.Age > m.patience():
		m.stats.Stale++ // it would expire at once
		return false
	case len(m.table.records) >= m.cfg.MaxMembers && !m.makeRoom():
		m.stats.Full++
		return false
	}
	r := m.table.add(record{peer: e.Peer, inc: e.Inc, ref: e.Ref, state: Alive, since: m.now, proof: e.Proof, doubted: longAgo, fell: longAgo})
	m.marks.forget(e.Peer)
	m.rebase(r, e)
	m.tell(r, 0)
	return true
}

// makeRoom forgets, but for its stamp, whoever is gone the longest; it reports whether there was
// somebody.
func (m *Machine) makeRoom() bool {
	if !m.roomy() {
		return false
	}
	oldest := -1
	for i := range m.table.records {
		if r := &m.table.records[i]; !r.up() && !r.held && (oldest < 0 || r.since < m.table.records[oldest].since) {
			oldest = i
		}
	}
	if oldest < 0 {
		return false
	}
	m.forget([]overlay.Peer{m.table.records[oldest].peer})
	return true
}

// roomy reports whether there may be room for another member: those that are gone give way.
func (m *Machine) roomy() bool { return m.table.living < m.cfg.MaxMembers }

// leftBy: the node itself said good-bye. It reports whether that is news.
func (m *Machine) leftBy(e *Entry) bool {
	r := m.table.find(e.Peer)
	if r == nil || r.state == Left || r.stamp(e.Inc, e.Ref) < 0 {
		return false
	}
	m.supersede(r, e.Inc)
	m.table.change(r, func() { r.inc, r.ref, r.state = e.Inc, e.Ref, Left })
	r.proof, r.since, r.held = e.Proof, m.now, false
	m.clear(r)
	m.tell(r, overlay.Leaving)
	return true
}

// down: a suspicion ran out, or a counter stood still.
func (m *Machine) down(r *record, expired bool) {
	m.table.change(r, func() { r.state = Down })
	r.since, r.fell, r.expired = m.now, m.now, expired
	m.clear(r)
	m.guardFall(r)
	r.held = m.guard.holding && !expired
	if !r.held {
		m.tell(r, overlay.Silent)
	}
}

// damped reports whether a member was down so lately that it may not be again: who
// comes and goes must not have everybody move things every time.
func (m *Machine) damped(r *record) bool { return m.now-r.fell < m.cfg.Damp }

// tell emits the event of a state, unless that was told last.
func (m *Machine) tell(r *record, why overlay.Reason) {
	if r.told == r.state {
		return
	}
	known := r.told != Unknown
	r.told = r.state
	switch r.state {
	case Alive:
		m.emit(overlay.MemberUp, r, why)
	case Suspect:
		m.emit(overlay.MemberSuspect, r, why)
	case Down:
		m.emit(overlay.MemberDown, r, why)
	case Left:
		if known {
			m.emit(overlay.MemberLeft, r, why)
		}
	}
}

// scanTable looks at a part of the table per tick: counters that stand still, and
// those who are gone for long. It returns how many steps are overdue.
func (m *Machine) scanTable() int {
	n := len(m.table.records)
	patience := m.patience()
	var gone []overlay.Peer
	var late []Entry
	if n <= scanPerTick {
		m.scan = m.rng.IntN(n) // so that the same ones are not always the last
	}
	for range min(n, scanPerTick) {
		m.scan = (m.scan + 1) % n
		r := &m.table.records[m.scan]
		switch {
		case m.scan == 0:
		case r.up() && m.now-r.moved > patience && m.linked(r):
			r.moved = m.now // seen with this node's own eyes
		case r.up() && m.now-r.moved > patience && !m.damped(r) && !m.maySpeak(r):
			m.stats.Expired++
			m.down(r, true)
		case r.up() && m.now-r.moved > patience*2/3 && len(late) < maxLate:
			late = append(late, Entry{Peer: r.peer, State: r.state, Inc: r.inc, Ref: r.ref, Count: r.count})
		case r.held && m.now-r.moved > patience:
			r.held = false
			m.tell(r, overlay.Silent)
		case !r.up() && !r.held && m.now-r.since > m.cfg.Quarantine:
			gone = append(gone, r.peer)
		}
	}
	m.late = late
	m.inquireLate()
	m.unheard()
	m.doubtLate(late)
	m.forget(gone)
	return len(late)
}

// inquireLate asks neighbours for steps that are overdue.
func (m *Machine) inquireLate() {
	if len(m.links) == 0 {
		return
	}
	for chunk := range slices.Chunk(m.late, maxEntries) {
		m.say(m.links[m.rng.IntN(len(m.links))].peer, Message{Kind: Stale, Entries: chunk})
	}
}

// inquireOf asks a new neighbour for them, as it may come from where they are known.
func (m *Machine) inquireOf(p overlay.Peer) {
	if n := min(len(m.late), maxEntries); n > 0 {
		m.say(p, Message{Kind: Stale, Entries: m.late[:n:n]})
	}
}

// forget takes members off the list; their stamps stay for a while.
func (m *Machine) forget(gone []overlay.Peer) {
	for _, p := range gone {
		r := m.table.find(p)
		m.marks.put(m.now, p, r.inc, r.ref, m.cfg.MaxWatermarks)
		m.table.remove(p)
	}
	m.marks.expire(m.now - m.cfg.Watermark)
}
