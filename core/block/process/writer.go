package process

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// writer is the stream that an outlet writes to at present, if any.
type writer struct {
	outlet *outlet
	feed   *feed
	unbind func() bool // from the context of the outlet
	before *feed       // the one before, if it was ended in good order
	idle   *time.Timer
	writes int // since it fired last
}

// feed is one stream to a peer. The peer ends its side when it has read all of it, or
// refuses the stream; until then it counts as open.
type feed struct {
	stream     Stream
	generation uint64
	ledger     *ledger
	watched    bool
	closing    atomic.Bool   // ended in good order
	over       chan struct{} // closed: the peer has ended its side, or the connection has
}

// wait returns true when it is worth looking at the queue, false when the outlet has
// been idle for long or the node stops.
func (w *writer) wait(ctx context.Context) bool {
	runtime.Gosched() // who is about to send does so before we sleep
	var moved, over, ended <-chan struct{}
	var stream Stream
	if w.feed != nil {
		stream = w.feed.stream
		moved, over, ended = stream.Moved(), w.feed.over, stream.Ended()
	}
	if !w.outlet.sleeps(stream) {
		return true
	}
	defer w.outlet.sleeps(nil)
	select {
	case <-w.outlet.wake:
		return true
	case <-moved:
		w.move(ctx)
		return true
	case <-over:
		w.drop()
		return true
	case <-ended:
		w.drop()
		return true
	case <-w.idle.C:
		w.idle.Reset(outletIdle)
		return !w.rested() || w.keep(ctx)
	case <-ctx.Done():
		return false
	}
}

// rested reports that nothing has been written since the timer fired last.
func (w *writer) rested() bool {
	before := w.writes
	w.writes = 0
	return before == 0
}

// keep keeps a stream open while a call waits for the node: a link without streams
// could be taken for one that nobody uses.
func (w *writer) keep(ctx context.Context) bool {
	if !w.outlet.remote.calls.any() {
		return false
	}
	return w.feed != nil || w.open(ctx, w.outlet.current()) == nil
}

// current is nothing yet of the stream that is to be used.
func (o *outlet) current() batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return batch{generation: o.generation, ledger: o.ledger}
}

// move ends the stream in good order, with what was queued for it, because another
// connection is to be used.
func (w *writer) move(ctx context.Context) {
	if left := w.outlet.roll(w.feed.generation); len(left.buf) > 0 {
		w.write(ctx, left)
	}
	w.close()
	w.keep(ctx)
}

// write writes a batch. Whatever may not have arrived is told so.
func (w *writer) write(ctx context.Context, b batch) {
	o := w.outlet
	w.writes++
	err := w.ready(ctx, b)
	begun := err == nil
	if begun {
		o.seal(&b)
		_, err = w.feed.stream.Write(b.buf)
	}
	if err == nil {
		w.feed.stream.Touch()
		o.recycle(b)
		if o.isCrowded() || closed(w.feed.stream.Moved()) {
			w.move(ctx)
		}
		return
	}
	kind := ErrNoConnection
	if ctx.Err() != nil {
		kind = ErrStopped
	}
	w.fail(b, begun && ctx.Err() == nil, fmt.Errorf("message to %s: %w: %w", o.remote.node, err, kind))
}

// fail gives up the stream that a batch was for, and what waits for it. Of a batch that
// was begun some may have arrived.
func (w *writer) fail(b batch, begun bool, err error) {
	o := w.outlet
	left := o.roll(b.generation) // from here on nobody changes what belongs to the stream
	if begun {
		o.loseCalls(b, err)
	} else {
		o.lose(b, err)
	}
	o.lose(left, err)
	if w.feed != nil && w.feed.generation == b.generation {
		w.discard()
	}
}

func (o *outlet) isCrowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crowded
}

// seal writes down in calls how much time is left, and notes over which stream they go.
func (o *outlet) seal(b *batch) {
	for i := range b.items {
		it := &b.items[i]
		if it.call == 0 {
			continue
		}
		o.remote.calls.sent(it.call, b.generation)
		if it.deadline != 0 {
			binary.BigEndian.PutUint32(b.buf[it.left:], leftNow(time.Unix(0, it.deadline)))
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// ready makes sure that there is the stream that the batch is for.
func (w *writer) ready(ctx context.Context, b batch) error {
	if w.feed == nil {
		return w.open(ctx, b)
	}
	if w.feed.generation != b.generation {
		w.close()
		return w.open(ctx, b)
	}
	if closed(w.feed.over) || closed(w.feed.stream.Ended()) {
		return errors.New("its stream has ended")
	}
	return nil
}

func (w *writer) open(ctx context.Context, b batch) error {
	o := w.outlet
	p := o.remote.procs
	stream, err := p.openStream(ctx, o.remote.node)
	if err != nil {
		return err
	}
	f := &feed{stream: stream, generation: b.generation, ledger: b.ledger, over: make(chan struct{})}
	f.watched = p.cfg.Tasks.Go("feed", func(ctx context.Context) { o.watch(ctx, f) }) // false: the last words of a node that stops
	w.feed = f
	w.unbind = context.AfterFunc(ctx, func() { _ = stream.SetWriteDeadline(time.Now().Add(stopGrace)) })
	if _, err = stream.Write(encodeStreamHeader(o.shard, b.generation, w.after())); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = o.generation == b.generation
	return nil
}

func (p *Processes) openStream(ctx context.Context, to nodeName) (Stream, error) {
	within := openTime
	if ctx.Err() != nil {
		within = stopGrace / 2
	}
	opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace/2, cancel) })()
	return p.cfg.Network.OpenMessages(opening, to)
}

// after is the generation of the stream before, if the receiver may not have seen all
// of it and still can.
func (w *writer) after() uint64 {
	if w.before == nil || closed(w.before.over) || closed(w.before.stream.Ended()) {
		return 0
	}
	return w.before.generation
}

// close ends the stream in good order: what was written arrives.
func (w *writer) close() {
	if w.feed == nil {
		return
	}
	w.feed.closing.Store(true)
	if err := w.feed.stream.CloseWrite(); err != nil {
		w.discard()
		return
	}
	if !w.feed.watched {
		w.feed.stream.Release()
	}
	w.forget(w.feed)
}

// drop gives the stream up, with what waits for it.
func (w *writer) drop() {
	w.outlet.lose(w.outlet.roll(w.feed.generation), w.outlet.endedError())
	w.discard()
}

func (o *outlet) endedError() error {
	return fmt.Errorf("message to %s: its stream has ended: %w", o.remote.node, ErrNoConnection)
}

// discard resets the stream.
func (w *writer) discard() {
	w.feed.stream.Reset(transport.CloseNone)
	w.feed.stream.Release()
	w.outlet.remote.calls.failStream(w.outlet.remote.node, w.feed.generation)
	w.forget(nil)
}

func (w *writer) forget(before *feed) {
	w.unbind()
	w.feed, w.unbind, w.before = nil, nil, before
}

// watch waits until the peer ends its side of a stream. Unless it does so in good
// order, after we did, calls that went over it are lost.
func (o *outlet) watch(ctx context.Context, f *feed) {
	defer f.stream.Release()
	defer context.AfterFunc(ctx, func() { _ = f.stream.SetReadDeadline(time.Now()) })()
	_, err := f.stream.Read(make([]byte, 1))
	switch {
	case errors.Is(err, io.EOF) && f.closing.Load():
	case ctx.Err() != nil:
		return // this node stops; the stream is not over, what is on its way may still arrive
	default:
		f.stream.Reset(transport.CloseProtocol)
		o.lose(o.roll(f.generation), o.endedError()) // before callers hear of it and send again
		o.doubt(f.ledger)
		o.remote.calls.failStream(o.remote.node, f.generation)
	}
	close(f.over)
}
