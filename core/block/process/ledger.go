package process

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// What has been written to a link that is lost may have arrived or not. So the receiver
// says now and then how many messages it has read of a stream; those beyond are in doubt
// when the stream breaks. Calls do not count, because callers hear of it, nor do payloads
// with a stream of their own.

// ackTime is for how long what has been read may go unsaid. It bounds what is in doubt
// although it has arrived.
const ackTime = 50 * time.Millisecond

// ledger is what became of the messages for one stream.
type ledger struct {
	sends, read uint64 // queued; read by the receiver; guarded by outlet.mu

	mu      sync.Mutex
	lost    uint64 // told to be: they had not been written
	settled bool
}

// lose counts messages that are lost for certain. It is false if they have been taken for
// doubtful before.
func (l *ledger) lose(n uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost += n
	return !l.settled
}

// settle returns how many messages are in doubt, once.
func (l *ledger) settle(sends, read uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled {
		return 0
	}
	l.settled = true
	return sends - min(read+l.lost, sends)
}

// doubt tells of the messages of a stream that has broken.
func (o *outlet) doubt(l *ledger) {
	o.mu.Lock()
	sends, read := l.sends, l.read
	o.mu.Unlock()
	if n := l.settle(sends, read); n > 0 {
		p := o.remote.procs
		p.deadLetters(DeadLetter{
			From: p.Self(), To: Target{Node: o.remote.node}, Count: n,
			Reason: fmt.Errorf("messages to %s: their stream broke: %w: %w", o.remote.node, ErrInDoubt, ErrNoConnection),
		})
	}
}

// acknowledged notes what the receiver has read of a stream.
func (o *outlet) acknowledged(generation, read uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if generation == o.generation {
		o.ledger.read = min(max(o.ledger.read, read), o.ledger.sends)
	}
}

// readout is how many messages of one stream have been read here. Its reader counts, a
// timer tells the sender.
type readout struct {
	guest      *guest
	shard      uint8
	generation uint64

	count, published uint64 // for the reader only
	public           atomic.Uint64
	armed            atomic.Bool
	timer            *time.Timer
}

// publish comes when all that was read is delivered and the reader is about to wait.
func (r *readout) publish() {
	if r.count == r.published {
		return
	}
	r.published = r.count
	r.public.Store(r.count)
	if r.armed.Swap(true) {
		return
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(ackTime, r.tell)
	} else {
		r.timer.Reset(ackTime)
	}
}

func (r *readout) tell() {
	r.armed.Store(false)
	read := r.public.Load()
	if r.guest.isDown() {
		return // it would be dialed for this
	}
	r.guest.procs.remote(r.guest.node).outlets[replyShard].hand(item{quiet: true}, 2*replyBytes, func(b []byte) []byte {
		return appendNumber(appendNumber(append(beginFrame(b, frameRead), r.shard), r.generation), read)
	})
}

func (r *readout) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}
