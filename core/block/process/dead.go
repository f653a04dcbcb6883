package process

import (
	"errors"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// DeadLetter is a message that could not be delivered and whose sender does not wait for
// an answer. Whatever is sent is delivered, or is an error to its sender, or is one of
// these.
type DeadLetter struct {
	From   name.Ref
	To     Target // of a process of this node that has ended, the node only
	Reason error  // errors.Is: ErrNoProcess, ErrBusy, ErrTooLarge, ErrNoConnection, ErrMalformed, ErrStopped
}

// deadLetters counts undeliverable messages by reason.
type deadLetters struct {
	noProcess, mailboxFull, tooLarge, linkLost, malformed, stopped atomic.Uint64
}

// DeadLetters counts messages that could not be delivered and had nobody to tell, by
// reason.
func (p *Processes) DeadLetters() map[string]uint64 { return p.dead.counts() }

func (d *deadLetters) counts() map[string]uint64 {
	return map[string]uint64{
		"no process": d.noProcess.Load(), "mailbox full": d.mailboxFull.Load(), "link lost": d.linkLost.Load(),
		"too large": d.tooLarge.Load(), "malformed": d.malformed.Load(), "stopped": d.stopped.Load(),
	}
}

// deadLetter counts a message and tells whoever listens.
func (p *Processes) deadLetter(from name.Ref, to Target, reason error) {
	switch {
	case errors.Is(reason, ErrNoProcess):
		p.dead.noProcess.Add(1)
	case errors.Is(reason, ErrBusy):
		p.dead.mailboxFull.Add(1)
	case errors.Is(reason, ErrTooLarge):
		p.dead.tooLarge.Add(1)
	case errors.Is(reason, ErrMalformed):
		p.dead.malformed.Add(1)
	case errors.Is(reason, ErrStopped):
		p.dead.stopped.Add(1)
	default:
		p.dead.linkLost.Add(1)
	}
	if p.cfg.DeadLetter != nil {
		p.cfg.DeadLetter(DeadLetter{From: from, To: to, Reason: reason})
	}
}

// refOf is the reference of a process of this node.
func (p *Processes) refOf(id uint64) name.Ref {
	return name.Ref{Node: p.cfg.Node, Incarnation: p.cfg.Incarnation, ID: max(id, nodeID)}
}
