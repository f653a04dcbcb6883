package membershiphyparview

import (
	"time"

	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// What may be spent on signatures: at most so many at once, and so many a second. A joiner that
// learns a whole cluster needs many, but no more from one neighbour than that, so that one alone
// cannot spend what there is for all. Words that somebody's life hangs on are paid apart.
const (
	checkBurst, checkPerSecond   = 25_000, 500 // all together
	linkBurst, linkPerSecond     = 4_096, 400  // what one neighbour brings, of those
	urgentBurst, urgentPerSecond = 400, 200    // urgent words that one neighbour brings, beside those
	tellBurst, tellPerSecond     = 16, 1       // second keys for a name, of those
)

// budget bounds how often something is done.
type budget struct {
	rate, most float64 // per second; at once
	tokens     float64
	at         time.Duration
}

func newBudget(burst, perSecond float64) budget {
	return budget{rate: perSecond, most: burst, tokens: burst}
}

func (b *budget) spend(now time.Duration) bool {
	b.tokens = min(b.tokens+b.rate*(now-b.at).Seconds(), b.most)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// checks is what may still be spent, and on whom it is spent just now.
type checks struct {
	all, tell budget
	now       time.Duration
	from      *entry                                  // whose input is being looked at; nil: nobody's
	awaits    func(overlay.Peer) bool                 // whether a word of that member is urgent; nil: nobody's is
	knows     func(overlay.Peer, *member.Record) bool // whether that would be no news of it; nil: it may be
}

// share is what one neighbour may still have checked.
type share struct{ all, urgent budget }

func newChecks() checks {
	return checks{all: newBudget(checkBurst, checkPerSecond), tell: newBudget(tellBurst, tellPerSecond)}
}

// share is that of the neighbour whose input is being looked at. It keeps it when it links anew.
func (c *checks) share() *share {
	if c.from == nil {
		return nil
	}
	if c.from.share == nil {
		c.from.share = &share{all: newBudget(linkBurst, linkPerSecond), urgent: newBudget(urgentBurst, urgentPerSecond)}
	}
	return c.from.share
}

// spend pays for a check.
func (c *checks) spend() bool {
	s := c.share()
	return (s == nil || s.all.spend(c.now)) && c.all.spend(c.now)
}

// spendUrgent pays for a check that somebody's life hangs on.
func (c *checks) spendUrgent() bool {
	s := c.share()
	return s != nil && s.urgent.spend(c.now) || c.spend()
}

// spendOn pays for a check of a record, of an entry if there is one.
func (c *checks) spendOn(e *entry, r *member.Record) bool {
	urgent := e != nil && (e == c.from || c.awaits != nil && (e.sealed == nil || r.Compare(&e.record) > 0) && c.awaits(e.peer))
	if urgent {
		return c.spendUrgent()
	}
	return c.spend()
}

// spendOnSecond pays for a check of a second key for a name, which is worth it only to be told.
func (c *checks) spendOnSecond(e *entry, r *member.Record) bool {
	return e.shown != r.Key && c.tell.spend(c.now) && c.spend()
}

// outdated reports whether a record says nothing new of an entry.
func (c *checks) outdated(e *entry, r *member.Record) bool {
	return e.sealed != nil && r.Compare(&e.record) < 0 && c.knows != nil && c.knows(e.peer, r)
}
