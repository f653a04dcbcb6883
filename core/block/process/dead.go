package process

import (
	"errors"
	"sync/atomic"
)

// DeadLetters counts undeliverable messages by reason.
type DeadLetters struct {
	noProcess, mailboxFull, linkLost, malformed, stopped atomic.Uint64
}

// DeadLetters counts messages that could not be delivered and had nobody to tell, by
// reason.
func (p *Processes) DeadLetters() map[string]uint64 { return p.dead.counts() }

func (d *DeadLetters) counts() map[string]uint64 {
	return map[string]uint64{
		"no process": d.noProcess.Load(), "mailbox full": d.mailboxFull.Load(), "link lost": d.linkLost.Load(),
		"malformed": d.malformed.Load(), "stopped": d.stopped.Load(),
	}
}

// deadLetter counts a message; where says more about it, in pairs.
func (p *Processes) deadLetter(err error, where ...any) {
	switch {
	case errors.Is(err, ErrNoProcess):
		p.dead.noProcess.Add(1)
	case errors.Is(err, ErrBusy):
		p.dead.mailboxFull.Add(1)
	case errors.Is(err, ErrMalformed):
		p.dead.malformed.Add(1)
	case errors.Is(err, ErrStopped):
		p.dead.stopped.Add(1)
	default:
		p.dead.linkLost.Add(1)
	}
	p.cfg.Log.Debug("dead letter", append(where, "error", err)...)
}
