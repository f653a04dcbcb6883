package process

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// inbound is an account of a peer for one target here: what it sends, what has been
// taken, and how much more it may send.
type inbound struct {
	guest      *guest
	shard      uint8
	generation uint64
	number     uint64
	target     Target
	proc       *Process // who was found under the target last

	// Only the reader of the stream uses these.
	received, receivedBytes uint64
	bound                   uint64              // how often names had changed when proc was found
	late                    map[uint64]*backlog // by sender: a large payload is on its way
	behind                  bool                // it is in intake.behind
	run                     *run                // of messages that are about to be delivered

	taken, takenBytes         atomic.Uint64
	messagesLimit, bytesLimit atomic.Uint64
	ahead                     atomic.Uint64
	reported, reportedBytes   atomic.Uint64

	mu sync.Mutex // held to report
}

// backlog is what a sender sent behind a large payload that is on its way.
type backlog struct {
	mu      sync.Mutex
	waiting []func()
	over    bool
}

func newInbound(g *guest, shard uint8, generation uint64, f *frame) *inbound {
	a := &inbound{guest: g, shard: shard, generation: generation, number: f.account, target: f.target}
	a.messagesLimit.Store(firstMessages)
	a.bytesLimit.Store(firstBytes)
	a.ahead.Store(leastMessages)
	return a
}

// admit counts a message that has come; a peer that goes beyond its credit breaks the
// protocol.
func (a *inbound) admit(size int) error {
	if a.received >= a.messagesLimit.Load() || a.receivedBytes >= a.bytesLimit.Load() {
		return fmt.Errorf("message for %s beyond the credit: %w", a.target, ErrMalformed)
	}
	a.received++
	a.receivedBytes += uint64(size)
	return nil
}

// find returns the process behind the account, as long as no name changes the one that
// was found last.
func (a *inbound) find(p *Processes) (*Process, error) {
	bound := p.bound.Load()
	if a.proc != nil && (a.bound == bound || a.target.Service.IsZero()) {
		return a.proc, nil
	}
	proc, err := p.find(a.target)
	if err == nil {
		a.proc, a.bound = proc, bound
		a.ahead.Store(uint64(min(max(aheadTimes*proc.box.limit, leastMessages), mostMessages)))
	}
	return proc, err
}

// consumed gives credit back for messages that have left the mailbox, or were refused.
func (a *inbound) consumed(n, size int) {
	a.guest.letGo(size)
	messages, bytes := a.taken.Add(uint64(n)), a.takenBytes.Add(uint64(size))
	if !a.due(messages, bytes) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	messages, bytes = a.taken.Load(), a.takenBytes.Load()
	if !a.due(messages, bytes) {
		return // somebody has just done it
	}
	a.reported.Store(messages)
	a.reportedBytes.Store(bytes)
	a.messagesLimit.Store(max(a.messagesLimit.Load(), messages+a.ahead.Load()))
	a.bytesLimit.Store(max(a.bytesLimit.Load(), bytes+aheadBytes))
	a.report(a.messagesLimit.Load(), a.bytesLimit.Load())
}

// due reports whether the sender has to be told: when a quarter of what it was given is
// used up, whatever the process that has the name now is given.
func (a *inbound) due(messages, bytes uint64) bool {
	reported := a.reported.Load()
	return messages-reported >= (a.messagesLimit.Load()-reported)/4 || bytes-a.reportedBytes.Load() >= reportBytes
}

func (a *inbound) report(messages, bytes uint64) {
	out := &a.guest.procs.remote(a.guest.node).outlets[replyShard]
	out.hand(item{quiet: true}, 2*replyBytes, func(b []byte) []byte {
		b = append(beginFrame(b, frameCredit), a.shard)
		b = appendNumber(appendNumber(b, a.generation), a.number)
		return appendNumber(appendNumber(b, messages), bytes)
	})
}

// inOrder runs act now, or behind a large payload of the same sender. It belongs to the
// reader of the stream.
func (a *inbound) inOrder(sender uint64, act func()) {
	if b := a.late[sender]; b != nil {
		if b.push(act) {
			return
		}
		if delete(a.late, sender); len(a.late) == 0 {
			a.late = nil
		}
	}
	act()
}

func (b *backlog) push(act func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		b.waiting = append(b.waiting, act)
	}
	return !b.over
}

// finish runs what has waited, until there is nothing more.
func (b *backlog) finish() {
	for {
		b.mu.Lock()
		acts := b.waiting
		b.waiting = nil
		b.over = len(acts) == 0
		b.mu.Unlock()
		if len(acts) == 0 {
			return
		}
		for _, act := range acts {
			act()
		}
	}
}

// postpone lets what the sender of a large payload sends wait for it. deliver is called
// with the payload, in its turn.
func (a *inbound) postpone(f *frame, deliver func(data []byte, err error)) error {
	if a.late == nil || len(a.late) >= maxArrivals {
		a.sweep()
	}
	b, before := &backlog{}, a.late[f.sender]
	a.late[f.sender] = b
	return a.guest.expectLarge(f.token, int(f.size), func(data []byte, err error) {
		finish := func() {
			deliver(data, err)
			b.finish()
		}
		if before == nil || !before.push(finish) {
			finish()
		}
	})
}

// sweep forgets the senders behind whose large payloads nothing waits any more.
func (a *inbound) sweep() {
	left := map[uint64]*backlog{}
	for sender, b := range a.late {
		if b.push(func() {}) {
			left[sender] = b
		}
	}
	a.late = left
}
