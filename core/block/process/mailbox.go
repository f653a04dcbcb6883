package process

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Policy says what becomes of a message for a mailbox that is full.
type Policy uint8

// The policies.
const (
	// Block makes the sender wait, with its context; a sender elsewhere waits because
	// its credit is used up.
	Block Policy = iota
	// Refuse gives the sender ErrBusy, or makes a dead letter when it does not wait.
	Refuse
)

// The bounds of a mailbox.
const (
	DefaultMailbox = 1024     // messages, unless a Spec says so
	mailboxBytes   = 32 << 20 // payloads
	smallRing      = 8        // entries that an empty mailbox may keep
)

// entry is a message in a mailbox, and what is owed for it. There are many of them, and
// they are copied: it is kept small.
type entry struct {
	value   any
	raw     []byte   // instead of value, with codec
	sender  uint64   // at the node of the account, or here
	account *inbound // of the sender, if that is elsewhere; it gets its credit back
	reply   responder
	size    uint32 // of the payload, in bytes
	codec   Codec
	sort    sort
}

// sort says what an entry is.
type sort uint8

const (
	aMessage sort = iota
	aCall         // reply takes the answer
	aReceipt      // reply takes the word that it is in the mailbox, which is still due
	aSignal       // value is a *notice; comes whatever room there is
)

// notice is something of the block's own, from any process.
type notice struct {
	from  name.Ref
	value any
}

// message is the entry as its receiver sees it.
func (e *entry) message(p *Processes) (m Message) {
	m.Call, m.codec, m.value, m.raw, m.types = e.sort == aCall, e.codec, e.value, e.raw, p.types
	switch {
	case e.sort == aSignal:
		n, _ := e.value.(*notice)
		m.From, m.value = n.from, n.value
	case e.account != nil:
		g := e.account.guest
		m.From = name.Ref{Node: g.node, Incarnation: g.incarnation, ID: e.sender}
	default:
		m.From = p.refOf(e.sender)
	}
	if m.Call {
		m.call = e.reply
	}
	return m
}

// due is the receipt that is still owed, if it is.
func (e *entry) due() responder {
	if e.sort == aReceipt {
		return e.reply
	}
	return nil
}

// mailbox is the queue of one process: a ring that grows to its limit. Senders of this
// node wait for room, those elsewhere have credit for what they send beyond it.
type mailbox struct {
	mu      sync.Mutex
	ring    []entry
	head    int
	count   int
	peak    int // the most since it was empty
	calm    int // how often it was empty after having been far from full
	bytes   int
	limit   int // messages
	policy  Policy
	closed  error         // why nothing more is taken
	asleep  bool          // the reader waits for wake
	wake    chan struct{} // room for one
	room    chan struct{} // closed when there may be room; nil while nobody waits
	unheard int           // receipts that wait for room
	pending *atomic.Int64 // counts what waits or is being handled; nil: nobody wants to know
}

func (b *mailbox) init(limit int, policy Policy) {
	if limit <= 0 {
		limit = DefaultMailbox
	}
	b.limit, b.policy = limit, policy
	b.wake = make(chan struct{}, 1)
}

// full: the head of the queue always has room, however large it is.
func (b *mailbox) full(size int) bool {
	return b.count >= b.limit || b.bytes > 0 && b.bytes+size > mailboxBytes
}

// put waits for room: that is the back-pressure on senders of this node. The error is
// that of a closed mailbox, ErrBusy, or that of ctx.
func (b *mailbox) put(ctx context.Context, e *entry) error {
	for {
		b.mu.Lock()
		if b.closed != nil || b.policy == Block && b.full(int(e.size)) {
			room, err := b.waitLocked()
			b.mu.Unlock()
			if err != nil {
				return err
			}
			select {
			case <-room:
				continue
			case <-ctx.Done():
				return fmt.Errorf("its mailbox is full: %w", ctx.Err())
			}
		}
		if b.full(int(e.size)) {
			b.mu.Unlock()
			return fmt.Errorf("its mailbox is full: %w", ErrBusy)
		}
		b.push(e)
		b.rouse()
		return nil
	}
}

// offer is put that does not wait.
func (b *mailbox) offer(e *entry) error {
	b.mu.Lock()
	if b.closed != nil || b.full(int(e.size)) {
		defer b.mu.Unlock()
		if b.closed != nil {
			return b.closed
		}
		return fmt.Errorf("its mailbox is full: %w", ErrBusy)
	}
	b.push(e)
	b.rouse()
	return nil
}

func (b *mailbox) waitLocked() (<-chan struct{}, error) {
	if b.closed != nil {
		return nil, b.closed
	}
	if b.room == nil {
		b.room = make(chan struct{})
	}
	return b.room, nil
}

// add takes what comes from elsewhere, or a signal, at once. With the policy Block there
// is always room: the sender had credit. heard means that it is within the limit, so
// that its receipt may be given.
func (b *mailbox) add(e *entry) (heard bool, err error) {
	b.mu.Lock()
	full := e.sort != aSignal && b.full(int(e.size))
	switch {
	case b.closed != nil:
		err = b.closed
	case full && b.policy == Refuse:
		err = fmt.Errorf("its mailbox is full: %w", ErrBusy)
	}
	if err != nil {
		b.mu.Unlock()
		return false, err
	}
	b.push(e)
	if e.sort == aReceipt && full {
		b.unheard++
	} else if e.sort == aReceipt {
		b.at(b.count - 1).sort = aMessage // it is given now
	}
	b.rouse()
	return !full, nil
}

// addAll is add for messages that follow each other. It takes as many as it may, and
// tells how many that were.
func (b *mailbox) addAll(all []entry) (taken int) {
	b.mu.Lock()
	for taken < len(all) && b.closed == nil && (b.policy == Block || !b.full(int(all[taken].size))) {
		b.push(&all[taken])
		taken++
	}
	if taken == 0 {
		b.mu.Unlock()
		return 0
	}
	b.rouse()
	return taken
}

// rouse wakes the reader if it sleeps, and unlocks.
func (b *mailbox) rouse() {
	asleep := b.asleep
	b.asleep = false
	b.mu.Unlock()
	if asleep {
		b.alarm()
	}
}

func (b *mailbox) alarm() {
	select {
	case b.wake <- struct{}{}:
	default: // it is about to wake anyway
	}
}

func (b *mailbox) push(e *entry) {
	if b.count == len(b.ring) {
		b.grow()
	}
	b.ring[(b.head+b.count)&(len(b.ring)-1)] = *e
	b.count++
	b.peak = max(b.peak, b.count)
	b.bytes += int(e.size)
	if b.pending != nil {
		b.pending.Add(1)
	}
}

func (b *mailbox) grow() {
	bigger := make([]entry, max(2*len(b.ring), 2))
	for i := range b.count {
		bigger[i] = *b.at(i)
	}
	b.ring, b.head = bigger, 0
}

func (b *mailbox) at(i int) *entry { return &b.ring[(b.head+i)&(len(b.ring)-1)] }

// next takes the entry at a place, or says that the reader sleeps from now on because
// there is none. The receipt of another entry may have become due; so has that of the
// one that is taken, if it still has one.
func (b *mailbox) next(i int, e *entry) (found bool, due responder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i >= b.count {
		b.asleep = b.closed == nil
		return false, nil
	}
	return true, b.remove(i, e)
}

// shrink gives a ring back that has become too large: one of which less than a quarter
// was used for some time.
func (b *mailbox) shrink() {
	const calm = 32 // times empty
	b.calm++
	if b.peak >= len(b.ring)/4 {
		b.calm = 0
	} else if b.calm >= calm {
		b.ring, b.head, b.calm = nil, 0, 0
	}
	b.peak = 0
}

// peek copies the entry at a place, without taking it.
func (b *mailbox) peek(i int, e *entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i >= b.count {
		b.asleep = b.closed == nil
		return false
	}
	*e = *b.at(i)
	return true
}

func (b *mailbox) remove(i int, e *entry) (due responder) {
	*e = *b.at(i)
	for ; i > 0; i-- {
		*b.at(i) = *b.at(i - 1)
	}
	first := b.at(0) // what points nowhere costs the collector nothing
	first.value, first.raw, first.account, first.reply = nil, nil, nil, nil
	b.head = (b.head + 1) & (len(b.ring) - 1)
	b.count--
	b.bytes -= int(e.size)
	if e.sort == aReceipt {
		b.unheard--
	}
	if b.unheard > 0 && b.count >= b.limit {
		last := b.at(b.limit - 1)
		if due = last.due(); due != nil {
			last.sort = aMessage
			b.unheard--
		}
	}
	if b.count == 0 && len(b.ring) > smallRing {
		b.shrink()
	}
	if b.room != nil && !b.full(0) {
		close(b.room)
		b.room = nil
	}
	return due
}

// awake: the reader woke for another reason than a message.
func (b *mailbox) awake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asleep = false
}

// close refuses everything from now on, and returns what waits.
func (b *mailbox) close(err error) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		return nil
	}
	b.closed = err
	defer b.alarm()
	if b.pending != nil {
		b.pending.Add(-int64(b.count))
	}
	left := make([]entry, b.count)
	for i := range left {
		left[i] = *b.at(i)
	}
	b.ring, b.head, b.count, b.bytes = nil, 0, 0, 0
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
	return left
}

func (b *mailbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}
