package membershiphyparview

import (
	"context"
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/core/machine/hyparview"
	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// command takes what the host tells its mind.
func (m *mind) command(o *own) {
	switch {
	case !o.join.IsZero():
		m.join(o)
	case o.leave:
		m.leave(o.answer)
	case o.flushed:
		m.part()
	default:
		m.dialed(o.dialed, o.err)
	}
}

// join ends what leave began and asks the contact; viewEvent answers.
func (m *mind) join(o *own) {
	e := m.book.named(o.join)
	m.joins[e.peer] = append(m.joins[e.peer], o.answer)
	cmd := overlay.Command{Op: overlay.OpJoin, Peer: e.peer}
	_, left := m.lv.Stamp()
	m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: cmd})
	for _, linked := range m.book.linkedOnes() {
		if left {
			m.introduce(linked) // to them this node has left
		}
	}
	m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: cmd})
}

// joined answers those who asked to join through a peer.
func (m *mind) joined(p overlay.Peer, err error) {
	for _, answer := range m.joins[p] {
		m.acts = append(m.acts, act{kind: actAnswer, answer: answer, err: err})
	}
	delete(m.joins, p)
	delete(m.failures, p)
}

// joinError says why a join came to nothing.
func (m *mind) joinError(p overlay.Peer, why overlay.Reason) error {
	if err := m.failures[p]; err != nil {
		return err
	}
	switch why {
	case overlay.Leaving:
		return membership.ErrLeft
	case overlay.Refused:
		return errors.New("it has no room now: try again, or join through another node")
	case overlay.Silent:
		return fmt.Errorf("it did not answer: %w", context.DeadlineExceeded)
	}
	return fmt.Errorf("the link ended: %s", why)
}

// leave says good-bye to all, and lets the neighbours go when they have read it. Whoever has a
// link hears it over that as well: one that has just taken this node in may have it for a
// neighbour while it is none here, and no broadcast goes there.
func (m *mind) leave(answer chan error) {
	if m.hv.HasLeft() {
		m.acts = append(m.acts, act{kind: actAnswer, answer: answer})
		return
	}
	m.leaves = append(m.leaves, answer)
	if len(m.leaves) > 1 {
		return // under way
	}
	m.life(overlay.Input[liveness.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
	for _, linked := range m.book.linkedOnes() {
		m.introduce(linked)
	}
	m.collect() // what is flushed comes first
	m.acts = append(m.acts, act{kind: actFlush})
}

// part ends a leave: the neighbours know, unless they are too slow to be waited for. A
// join that came meanwhile has undone it.
func (m *mind) part() {
	if _, left := m.lv.Stamp(); left {
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpLeave}})
		m.isolated, m.partitioned = false, false
	}
	m.collect()
	for _, answer := range m.leaves {
		m.acts = append(m.acts, act{kind: actAnswer, answer: answer})
	}
	m.leaves = nil
}

// dialed takes the outcome of a dial. That there is a link may have been known before.
func (m *mind) dialed(p overlay.Peer, err error) {
	e := m.book.node(p)
	switch {
	case e == nil: // its name is another's by now
	case err == nil && e.linked > 0:
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InLinkUp, Peer: p, Inc: e.linked})
	case err != nil:
		if len(m.joins[p]) > 0 {
			m.failures[p] = err
		}
		m.view(overlay.Input[hyparview.Message]{Kind: overlay.InDialFailed, Peer: p, Reason: reasonOf(err)})
		m.touched = append(m.touched, p)
	}
}

// reasonOf sorts the error of a dial.
func reasonOf(err error) overlay.Reason {
	if errors.Is(err, transport.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
		return overlay.Silent
	}
	return overlay.Lost
}
