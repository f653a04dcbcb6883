package process

import (
	"fmt"
	"sync"
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
	late                    map[uint64]*backlog // by sender: a large payload is on its way

	mu                      sync.Mutex
	taken, takenBytes       uint64
	reported, reportedBytes uint64
	messagesLimit, ahead    uint64
	bytesLimit              uint64
}

// backlog is what a sender sent behind a large payload that is on its way.
type backlog struct {
	mu      sync.Mutex
	waiting []func()
	over    bool
}

func newInbound(g *guest, shard uint8, generation uint64, f *frame) *inbound {
	return &inbound{
		guest: g, shard: shard, generation: generation, number: f.account, target: f.target,
		messagesLimit: firstMessages, bytesLimit: firstBytes, ahead: mostMessages,
	}
}

// admit counts a message that has come; a peer that goes beyond its credit breaks the
// protocol.
func (a *inbound) admit(size int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.received >= a.messagesLimit || a.receivedBytes >= a.bytesLimit {
		return fmt.Errorf("message for %s beyond the credit: %w", a.target, ErrMalformed)
	}
	a.received++
	a.receivedBytes += uint64(size)
	return nil
}

// find returns the process behind the account.
func (a *inbound) find(p *Processes) (*Process, error) {
	if a.proc != nil && a.target.Service.IsZero() {
		return a.proc, nil
	}
	proc, err := p.find(a.target)
	if err == nil {
		a.proc = proc
		a.mu.Lock()
		a.ahead = uint64(min(max(proc.box.limit, leastMessages), mostMessages))
		a.mu.Unlock()
	}
	return proc, err
}

// consumed gives credit back for a message that has left the mailbox, or was refused.
func (a *inbound) consumed(size int) {
	a.guest.letGo(size)
	if messages, bytes, report := a.take(size); report {
		a.report(messages, bytes)
	}
}

func (a *inbound) take(size int) (messages, bytes uint64, report bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken++
	a.takenBytes += uint64(size)
	step := a.ahead / 4
	if a.reported == 0 {
		step = firstMessages / 4
	}
	if a.taken-a.reported < step && a.takenBytes-a.reportedBytes < reportBytes {
		return 0, 0, false
	}
	a.reported, a.reportedBytes = a.taken, a.takenBytes
	a.messagesLimit = max(a.messagesLimit, a.taken+a.ahead)
	a.bytesLimit = max(a.bytesLimit, a.takenBytes+aheadBytes)
	return a.messagesLimit, a.bytesLimit, true
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
		delete(a.late, sender)
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
