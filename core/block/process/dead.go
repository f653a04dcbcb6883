package process

import (
	"errors"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// DeadLetter is a message that could not be delivered and whose sender does not wait for
// an answer. Whatever is sent is delivered, or is an error to its sender, or is one of
// these, on the node of the sender or of the receiver. Of messages that were on their way
// when a link was lost the sender's node cannot know: those are in doubt, counted together,
// and some of them may have been delivered, or be dead letters of the receiver's node.
type DeadLetter struct {
	From   name.Ref
	To     Target // of a process of this node that has ended, and of ErrInDoubt, the node only
	Count  uint64 // of messages; 1 but for ErrInDoubt
	Reason error  // errors.Is: ErrNoProcess, ErrBusy, ErrTooLarge, ErrInDoubt, ErrNoConnection, ErrMalformed, ErrStopped
}

// deadLetters counts undeliverable messages by reason.
type deadLetters struct {
	noProcess, mailboxFull, tooLarge, linkLost, inDoubt, malformed, stopped atomic.Uint64
}

// DeadLetters counts messages that could not be delivered and had nobody to tell, by
// reason.
func (p *Processes) DeadLetters() map[string]uint64 { return p.dead.counts() }

func (d *deadLetters) counts() map[string]uint64 {
	return map[string]uint64{
		"no process": d.noProcess.Load(), "mailbox full": d.mailboxFull.Load(), "link lost": d.linkLost.Load(),
		"in doubt":  d.inDoubt.Load(),
		"too large": d.tooLarge.Load(), "malformed": d.malformed.Load(), "stopped": d.stopped.Load(),
	}
}

// deadLetter counts a message and tells whoever listens.
func (p *Processes) deadLetter(from name.Ref, to Target, reason error) {
	p.deadLetters(DeadLetter{From: from, To: to, Count: 1, Reason: reason})
}

// deadLetters is the same of several messages.
func (p *Processes) deadLetters(d DeadLetter) {
	p.dead.counter(d.Reason).Add(d.Count)
	if p.cfg.DeadLetter != nil {
		p.cfg.DeadLetter(d)
	}
}

func (d *deadLetters) counter(reason error) *atomic.Uint64 {
	switch {
	case errors.Is(reason, ErrInDoubt):
		return &d.inDoubt
	case errors.Is(reason, ErrNoProcess):
		return &d.noProcess
	case errors.Is(reason, ErrBusy):
		return &d.mailboxFull
	case errors.Is(reason, ErrTooLarge):
		return &d.tooLarge
	case errors.Is(reason, ErrMalformed):
		return &d.malformed
	case errors.Is(reason, ErrStopped):
		return &d.stopped
	}
	return &d.linkLost
}

// refOf is the reference of a process of this node.
func (p *Processes) refOf(id uint64) name.Ref {
	return name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: max(id, nodeID)}
}
