package fullmesh

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Errors of Join, besides membership.ErrLeft and what Connect said.
var (
	// ErrSelf: a node cannot join through itself.
	ErrSelf = errors.New("that is this node itself: name another one")
	// ErrRefused: the other node does not take this one in.
	ErrRefused = errors.New("join refused")
	// ErrNoAnswer: there is a link, and the other node says nothing.
	ErrNoAnswer = errors.New("no answer to join: see if that node uses the same membership")
	// ErrFull: no room for another member.
	ErrFull = errors.New("too many members: raise max_members")
)

// waiter is a Join under way.
type waiter struct {
	id     uint64
	node   name.Node
	dialed bool // a dial began after it came
	until  time.Duration
}

func (m *Machine) join(id uint64, node name.Node) {
	if node == m.cfg.Self {
		m.do(Effect{Kind: JoinDone, ID: id, Node: node, Err: fmt.Errorf("join %s: %w", node, ErrSelf)})
		return
	}
	m.back()
	r := m.ensure(node)
	switch {
	case r == nil:
		m.do(Effect{Kind: JoinDone, ID: id, Node: node, Err: ErrFull})
		return
	case r.link.joined:
		m.do(Effect{Kind: JoinDone, ID: id, Node: node})
		return
	}
	m.joins = append(m.joins, waiter{id: id, node: node, until: m.now + m.cfg.JoinTimeout})
	switch {
	case r.link.closing:
	case r.link.up:
		m.send(node, bare(kindJoin))
	case !r.dial.busy:
		r.dial.due = m.now
	}
}

// back ends what leave began.
func (m *Machine) back() {
	if !m.left {
		return
	}
	m.left, m.since, m.out.Changed = false, m.now, true
	m.endLeaves()
	for _, r := range m.records {
		switch {
		case r.link.up && !r.link.closing:
			m.send(r.node, bare(kindJoin)) // nobody has spoken over it yet
		case r.met && !r.link.up && !r.dial.busy:
			r.dial.due = m.now + m.backoff(r)
		}
	}
}

func (m *Machine) leave(id uint64) {
	m.leaves = append(m.leaves, id)
	if !m.left {
		m.left, m.since, m.out.Changed = true, m.now, true
		m.leaveBy = m.now + m.cfg.JoinTimeout
		m.syncAt = Never
		for _, r := range m.records {
			m.part(r)
		}
		m.endAllJoins(membership.ErrLeft)
	}
	m.leaveProgress()
}

// part says good-bye to one node and stops judging it.
func (m *Machine) part(r *record) {
	m.unneighbour(r, ReasonGone)
	if r.link.up && !r.link.closing {
		m.send(r.node, bare(kindLeave))
		r.link.closing = true
		m.do(Effect{Kind: Disconnect, Node: r.node, Code: transport.CloseLeaving, Reason: "leaving"})
	}
	m.down(r, ReasonGone)
	r.met = r.met && r.state != membership.Left
	m.forget(r)
	r.dial.due, r.dial.tries = Never, 0
}

// leaveProgress answers Leave when every link that was closed for it is gone.
func (m *Machine) leaveProgress() {
	if !m.left {
		return
	}
	for _, r := range m.records {
		if r.link.closing {
			return
		}
	}
	m.endLeaves()
}

func (m *Machine) endLeaves() {
	for _, id := range m.leaves {
		m.do(Effect{Kind: LeaveDone, ID: id})
	}
	m.leaves, m.leaveBy = nil, Never
}

func (m *Machine) expireWaiters() {
	if m.leaveBy <= m.now {
		m.endLeaves()
	}
	m.end(func(w waiter) bool { return w.until <= m.now }, ErrNoAnswer)
}

// awaited reports whether a Join waits for node.
func (m *Machine) awaited(node name.Node) bool {
	return slices.ContainsFunc(m.joins, func(w waiter) bool { return w.node == node })
}

func (m *Machine) endJoins(node name.Node, err error) {
	m.end(func(w waiter) bool { return w.node == node }, err)
}

func (m *Machine) endDialed(node name.Node, err error) {
	m.end(func(w waiter) bool { return w.node == node && w.dialed }, err)
}

func (m *Machine) endAllJoins(err error) { m.end(func(waiter) bool { return true }, err) }

// end answers the joins that match, in the order in which they came.
func (m *Machine) end(match func(waiter) bool, err error) {
	m.joins = slices.DeleteFunc(m.joins, func(w waiter) bool {
		if !match(w) {
			return false
		}
		e := Effect{Kind: JoinDone, ID: w.id, Node: w.node}
		if err != nil {
			e.Err = fmt.Errorf("join %s: %w", w.node, err)
		}
		m.do(e)
		return true
	})
}

func (m *Machine) cancel(id uint64) {
	m.joins = slices.DeleteFunc(m.joins, func(w waiter) bool { return w.id == id })
	m.leaves = slices.DeleteFunc(m.leaves, func(l uint64) bool { return l == id })
}
