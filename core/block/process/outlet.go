package process

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	outletBytes = 1 << 20          // that may wait for one stream
	replyBytes  = 16 << 20         // the same of answers, which never wait
	outletIdle  = 30 * time.Second // an unused stream is closed after once to twice this
	openTime    = 15 * time.Second // for a stream to be opened, dialing included
)

// item is a frame that waits, and whom to tell if it is lost: the
// call of this node that it is; otherwise it counts as a dead letter, unless quiet.
// It holds no pointers, so that many of them cost the collector nothing.
type item struct {
	call     uint64
	sender   uint64
	account  uint64 // of the target; 0: the node
	deadline int64  // of the call, unix nanoseconds; 0: none
	left     uint32 // where in the batch it stands how much of it is left
	times    uint32 // so many messages one behind the other; 0 is one
	quiet    bool
}

// batch is what is written at once: frames, one behind the other.
type batch struct {
	generation uint64 // of the stream that it is for
	buf        []byte
	items      []item
	numbers    map[uint64]*account // of the stream
	ledger     *ledger             // of the stream
}

// target is whom an item was for.
func (b *batch) target(node name.Node, it *item) Target {
	if a := b.numbers[it.account]; a != nil {
		return a.target
	}
	return Target{Node: node}
}

// outlet writes the messages of one shard to one node, in order, over one stream
// after the other. Its goroutine exists only while there is something to do.
type outlet struct {
	remote *remote
	shard  uint8
	wake   chan struct{} // room for one: something waits

	mu          sync.Mutex
	batch             // what waits
	spare       batch // buffers of the one before, to be used again
	room        chan struct{}
	accounts    map[targetKey]*account
	latest      *account // that was used
	lastAccount uint64
	waiting     int       // senders without credit or room
	running     bool      // the goroutine
	woken       bool      // it will look before it sleeps
	writing     bool      // what was taken last
	open        bool      // there is a stream, so there is a link
	direct      Stream    // the stream, while the goroutine waits for something to do
	used        time.Time // when something was written last without the goroutine
	crowded     bool      // there are too many accounts
	retired     bool      // its node has been forgotten
}

func (o *outlet) init(r *remote, shard uint8) {
	o.remote, o.shard, o.wake = r, shard, make(chan struct{}, 1)
	o.generation = r.procs.nextGen.Add(1)
	o.settle()
}

// parcel is a message or call about to be sent.
type parcel struct {
	kind     byte
	call     uint64
	flags    byte
	deadline time.Time
	sender   uint64
	payload  packed
	large    *large // the payload, if it has a stream of its own
	nowait   bool   // ErrBusy instead of waiting, and no dial before it is queued
}

// post queues a message for a target, and waits for credit and for room. It makes sure
// that there is a link, and says when there is none.
func (p *Processes) post(ctx context.Context, to Target, m *parcel) error {
	o := &p.remote(to.Node).outlets[to.shard(m.sender)]
	if m.payload.size() >= largeFrom {
		var err error
		if m.large, err = o.remote.newLarge(ctx, to, m); err != nil {
			return err
		}
	}
	err := o.post(ctx, to, m)
	if m.large != nil {
		m.large.posted(err)
	}
	return err
}

func (o *outlet) post(ctx context.Context, to Target, m *parcel) error {
	p := o.remote.procs
	connected := false
	for {
		o.mu.Lock()
		switch {
		case o.retired:
			o.mu.Unlock()
			o = &p.remote(to.Node).outlets[o.shard]
			continue
		case !o.open && !connected && !m.nowait:
			o.mu.Unlock()
			if err := p.connect(ctx, to.Node); err != nil {
				return err
			}
			connected = true
			continue
		}
		a := o.account(to)
		room := o.roomFor(a)
		if room == nil {
			o.append(a, m)
			o.mu.Unlock()
			return nil
		}
		if m.nowait {
			o.mu.Unlock()
			return fmt.Errorf("message to %s: it takes no more for now: %w", to, ErrBusy)
		}
		o.waiting++
		o.mu.Unlock()
		if err := o.await(ctx, room, to); err != nil {
			return err
		}
	}
}

// roomFor is nil when there is credit and room. Callers hold o.mu.
func (o *outlet) roomFor(a *account) <-chan struct{} {
	if !a.may() {
		if len(o.buf) > 0 {
			o.kick() // the account has been opened just now
		}
		return a.wait()
	}
	if len(o.buf) < outletBytes {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

func (o *outlet) await(ctx context.Context, room <-chan struct{}, to Target) error {
	defer func() {
		o.mu.Lock()
		o.waiting--
		o.mu.Unlock()
	}()
	select {
	case <-room:
		return nil
	case <-o.remote.procs.halt():
		return fmt.Errorf("message to %s: %w", to, ErrStopped)
	case <-ctx.Done():
		return fmt.Errorf("message to %s: it takes no more for now: %w", to, ctx.Err())
	}
}

// append queues a message. Callers hold o.mu.
func (o *outlet) append(a *account, m *parcel) {
	if len(o.accounts) > maxAccounts {
		o.crowded = true
	}
	size := m.payload.size()
	a.messages++
	a.bytes += uint64(size)
	begin := len(o.buf)
	o.buf = slices.Grow(o.buf, 64+min(size, largeFrom))
	b := beginLarge(o.buf, m.large, m.kind)
	b = appendNumber(b, a.number)
	it := item{call: m.call, sender: m.sender, account: a.number}
	if m.large != nil {
		it.call, it.quiet = 0, true // who sends the payload tells
	} else if m.kind == frameSend {
		o.ledger.sends++
	}
	if m.kind == frameCall {
		b = append(appendNumber(b, m.call), m.flags)
		if it.left = uint32(len(b)); !m.deadline.IsZero() {
			it.deadline = m.deadline.UnixNano()
		}
		b = append(b, 0, 0, 0, 0)
	}
	b = appendPayload(appendNumber(b, m.sender), &m.payload, m.large == nil)
	o.buf = endFrame(b, begin)
	o.note(it)
	o.kick()
}

// note adds an item; messages of one pair that follow each other are one.
func (o *outlet) note(it item) {
	if n := len(o.items); n > 0 && it.call == 0 && !it.quiet {
		last := &o.items[n-1]
		if last.call == 0 && !last.quiet && last.account == it.account && last.sender == it.sender {
			last.times = max(last.times, 1) + 1
			return
		}
	}
	o.items = append(o.items, it)
}

func appendNumber(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, n)
}

// hand queues a frame that waits for nothing: an answer, a credit, a signal. add writes
// it. It reports whether there was room within limit.
func (o *outlet) hand(it item, limit int, add func([]byte) []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) > limit || o.remote.procs.sealed.Load() {
		return false
	}
	begin := len(o.buf)
	o.buf = endFrame(add(o.buf), begin)
	o.items = append(o.items, it)
	o.kick()
	return true
}

const (
	directBytes = 2 << 10               // at most, written by the sender itself
	directPause = 20 * time.Microsecond // at least, between two of those
)

// writeDirectly writes what waits without the goroutine, if that sleeps: for a message
// now and then, its waking would take longer than all the rest. Messages that come one
// upon the other are left to it, because it writes many at once. Callers hold o.mu.
func (o *outlet) writeDirectly() bool {
	if o.direct == nil || len(o.buf) > directBytes {
		return false
	}
	now := time.Now()
	if now.Sub(o.used) < directPause || closed(o.direct.Moved()) {
		return false
	}
	o.seal(&o.batch)
	taken, err := o.direct.TryWrite(o.buf)
	if !taken || err != nil {
		return false // the goroutine will see why
	}
	o.used = now
	o.buf, o.items = o.buf[:0], o.items[:0]
	o.direct.Touch()
	return true
}

// sleeps says that the goroutine waits for something to do, or does not any more. It
// must not wait when there is something.
func (o *outlet) sleeps(s Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.direct = nil
	if s != nil && len(o.buf) == 0 && o.open {
		o.direct = s
	}
	return len(o.buf) == 0
}

// kick lets the goroutine look. Callers hold o.mu.
func (o *outlet) kick() {
	if o.writeDirectly() {
		return
	}
	o.direct = nil
	if o.running {
		o.rouse()
		return
	}
	o.running = o.remote.procs.cfg.Tasks.Go("outlet", o.run)
	if !o.running {
		o.lose(o.take(), ErrStopped)
	}
}

// rouse wakes the goroutine once. Callers hold o.mu.
func (o *outlet) rouse() {
	if o.woken {
		return
	}
	o.woken = true
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// next takes what waits. When there is nothing the buffers stay where they are.
func (o *outlet) next() batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.woken = false
	if len(o.buf) == 0 {
		o.writing = false
		return batch{}
	}
	return o.take()
}

// take empties the queue. Callers hold o.mu.
func (o *outlet) take() batch {
	out := o.batch
	o.batch = batch{generation: out.generation, buf: o.spare.buf[:0], items: o.spare.items[:0], numbers: out.numbers, ledger: out.ledger}
	o.spare = batch{}
	o.writing = len(out.buf) > 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return out
}

// recycle keeps the buffers of a batch that has been written, unless they are large.
func (o *outlet) recycle(b batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cap(b.buf) <= 2*outletBytes {
		o.spare = batch{buf: b.buf[:0], items: b.items[:0]}
	}
}

// roll begins with the next stream: it returns what waits for the present one.
func (o *outlet) roll(generation uint64) batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.generation != generation {
		return batch{} // it has been done
	}
	left := o.take()
	o.renew()
	return left
}

// renew begins with another generation. Callers hold o.mu.
func (o *outlet) renew() {
	o.generation = o.remote.procs.nextGen.Add(1)
	o.open, o.crowded, o.direct = false, false, nil
	o.settle()
}

// rest ends the goroutine if there is nothing to do; the next one has its own stream.
func (o *outlet) rest() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) > 0 || o.waiting > 0 || time.Since(o.used) < outletIdle {
		return false
	}
	o.running = false
	o.spare = batch{}
	o.renew()
	return true
}

func (o *outlet) retire() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = !o.running && o.waiting == 0 && len(o.buf) == 0
	return o.retired
}

func (o *outlet) unretire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = false
}

// empty reports that nothing waits to be written or is being written.
func (o *outlet) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf) == 0 && !o.writing
}

func (o *outlet) run(ctx context.Context) {
	w := &writer{outlet: o, idle: time.NewTimer(outletIdle)}
	defer w.idle.Stop()
	defer o.leave(ctx)
	defer w.close()
	for {
		if b := o.next(); len(b.buf) > 0 {
			w.write(ctx, b)
			continue
		}
		if !w.wait(ctx) && (ctx.Err() != nil || o.rest()) {
			return
		}
	}
}

// leave is the end of a goroutine that the node stops: what waits is lost.
func (o *outlet) leave(ctx context.Context) {
	if ctx.Err() == nil {
		return // it rests, and another may run by now
	}
	o.mu.Lock()
	left := o.take()
	o.running, o.writing = false, false
	o.renew()
	o.mu.Unlock()
	o.lose(left, fmt.Errorf("message to %s: %w", o.remote.node, ErrStopped))
}

// loseCalls tells of a batch that was perhaps written. Callers hear of it; the messages are
// in doubt when its stream has ended.
func (o *outlet) loseCalls(b batch, err error) {
	for i := range b.items {
		if call := b.items[i].call; call != 0 {
			o.remote.calls.finish(call, nil, err)
		}
	}
}

// lose tells of items that have not been written, or not for certain when the node stops.
func (o *outlet) lose(b batch, err error) {
	p := o.remote.procs
	for i := range b.items {
		it := &b.items[i]
		switch {
		case it.call != 0:
			o.remote.calls.finish(it.call, nil, err)
		case !it.quiet && (it.account == 0 || b.ledger.lose(uint64(max(it.times, 1)))):
			for range max(it.times, 1) {
				p.deadLetter(p.refOf(it.sender), b.target(o.remote.node, it), err)
			}
		}
	}
}
