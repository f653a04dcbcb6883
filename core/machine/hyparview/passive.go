package hyparview

import (
	"slices"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// pool is the passive view. Peers and what is known of them lie in two slices because
// most of the time one looks for a peer.
type pool struct {
	peers []overlay.Peer
	info  []reserve
}

// reserve is what is known of a passive peer.
type reserve struct {
	due     overlay.Time // it is not asked before
	learned overlay.Time
	fails   uint8 // in a row
}

func (v *pool) at(p overlay.Peer) int {
	for i, q := range v.peers {
		if q == p {
			return i
		}
	}
	return -1
}

func (v *pool) remove(p overlay.Peer) {
	if i := v.at(p); i >= 0 {
		v.removeAt(i)
	}
}

func (v *pool) removeAt(i int) {
	n := len(v.peers) - 1
	v.peers[i], v.info[i] = v.peers[n], v.info[n]
	v.peers, v.info = v.peers[:n], v.info[:n]
}

func (v *pool) clear() { v.peers, v.info = v.peers[:0], v.info[:0] }

// keep puts a peer that is alive in reserve, not to be asked before due.
func (m *Machine) keep(p overlay.Peer, due overlay.Time) {
	if i := m.passive.at(p); i >= 0 {
		m.passive.info[i] = reserve{due: due, learned: m.now}
		return
	}
	m.insert(p, due, nil)
}

// learn takes hearsay: p may be a member. Nothing that is known of it is changed.
func (m *Machine) learn(p overlay.Peer, given []overlay.Peer) {
	if p == overlay.Nobody || p == m.self || m.isActive(p) || m.passive.at(p) >= 0 || m.remembers(p) {
		return
	}
	m.insert(p, m.now, given)
}

// insert makes room first: ids that were just given away go before others.
func (m *Machine) insert(p overlay.Peer, due overlay.Time, given []overlay.Peer) {
	if m.cfg.Passive == 0 {
		return
	}
	v := &m.passive
	if len(v.peers) >= m.cfg.Passive {
		m.retire(m.victim(given))
	}
	v.peers = append(v.peers, p)
	v.info = append(v.info, reserve{due: due, learned: m.now})
}

// retire takes an entry out. If the peer could not be reached lately it is not
// forgotten: it may be on the other side of a partition.
func (m *Machine) retire(i int) {
	p, fails := m.passive.peers[i], m.passive.info[i].fails
	m.passive.removeAt(i)
	if fails > 0 {
		m.remember(p, false)
	}
}

func (m *Machine) victim(given []overlay.Peer) int {
	for _, p := range given {
		if i := m.passive.at(p); i >= 0 {
			return i
		}
	}
	return m.rng.IntN(len(m.passive.peers))
}

// failed counts a failure of a passive peer. Without neighbours nobody is given up:
// it is more likely that the fault is here.
func (m *Machine) failed(p overlay.Peer) {
	i := m.passive.at(p)
	if i < 0 {
		return
	}
	r := &m.passive.info[i]
	r.fails = min(r.fails+1, 200)
	alone := len(m.active) == 0 && m.cfg.Remember > 0
	if int(r.fails) >= m.cfg.Fails && !alone {
		m.retire(i)
		return
	}
	r.due = m.now + m.backoff(int(r.fails), alone)
}

// backoff is how long to wait after so many failures.
func (m *Machine) backoff(fails int, alone bool) overlay.Time {
	limit := m.cfg.RetryMax
	if alone {
		limit = min(limit, aloneRetry*m.cfg.Retry)
	}
	return m.around(min(m.cfg.Retry<<min(fails, 16), limit))
}

// sample adds up to n random passive peers to a message, none twice: Floyd's method,
// which changes nothing.
func (m *Machine) sample(msg *Message, n int, but overlay.Peer) {
	peers, first := m.passive.peers, int(msg.Count)
	for j := max(len(peers)-n, 0); j < len(peers); j++ {
		p := peers[m.rng.IntN(j+1)]
		if slices.Contains(msg.IDs[first:msg.Count], p) {
			p = peers[j]
		}
		if p != but {
			msg.add(p)
		}
	}
}

// age drops what was learned too long ago, unless this is all there is.
func (m *Machine) age() {
	if m.cfg.MaxAge == 0 || len(m.active) == 0 {
		return
	}
	v := &m.passive
	for i := len(v.peers) - 1; i >= 0; i-- {
		if m.now-v.info[i].learned > m.cfg.MaxAge && len(v.peers) > m.cfg.Active {
			m.retire(i)
		}
	}
}
