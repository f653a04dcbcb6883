package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// writer is the stream that an outlet writes to at present, if any.
type writer struct {
	outlet *outlet
	feed   *feed
	buf    *bufio.Writer
	unbind func() bool // from the context of the outlet
	before *feed       // the one before, if it was ended in good order
}

// feed is one stream to a peer. The peer ends its side when it has read all of it, or
// refuses the stream; until then it counts as open.
type feed struct {
	stream     Stream
	generation uint64
	watched    bool
	closing    atomic.Bool   // ended in good order
	over       chan struct{} // closed: the peer has ended its side, or the connection has
}

// wait returns true when it is worth looking at the queue, false when the outlet has
// been idle for long or the node stops.
func (w *writer) wait(ctx context.Context) bool {
	timer := time.NewTimer(outletIdle)
	defer timer.Stop()
	var moved, over <-chan struct{}
	if w.feed != nil {
		moved, over = w.feed.stream.Moved(), w.feed.over
	}
	select {
	case <-w.outlet.wake:
		return true
	case <-moved:
		w.close()
		w.keep(ctx)
		return true
	case <-over:
		w.drop()
		return true
	case <-timer.C:
		return w.keep(ctx)
	case <-ctx.Done():
		return false
	}
}

// keep keeps a stream open while a call waits for the node: a link without streams
// could be taken for one that nobody uses.
func (w *writer) keep(ctx context.Context) bool {
	if !w.outlet.procs.calls.waitFor(w.outlet.key.node) {
		return false
	}
	return w.feed != nil || w.ready(ctx) == nil
}

// write writes a batch and flushes it. Whatever may not have arrived is told so.
func (w *writer) write(ctx context.Context, batch []outItem) {
	p := w.outlet.procs
	err := w.ready(ctx)
	for i := 0; i < len(batch) && err == nil; i++ {
		if item := batch[i]; item.call != 0 {
			if !p.calls.sent(item.call, w.feed.generation) {
				continue // the caller has left
			}
			setLeft(item.data, item.deadline)
		}
		_, err = w.buf.Write(batch[i].data)
	}
	if err == nil {
		err = w.buf.Flush()
	}
	if err == nil {
		w.feed.stream.Touch()
		return
	}
	w.drop()
	kind := ErrNoConnection
	if ctx.Err() != nil {
		kind = ErrStopped
	}
	p.lost(w.outlet.key.node, batch, fmt.Errorf("message to %s: %w: %w", w.outlet.key.node, err, kind))
}

// ready makes sure that there is a stream on the connection that is to be used.
func (w *writer) ready(ctx context.Context) error {
	if w.feed == nil {
		return w.open(ctx)
	}
	select {
	case <-w.feed.over:
		w.drop()
		return w.open(ctx)
	case <-w.feed.stream.Ended():
		w.drop()
		return w.open(ctx)
	default:
	}
	select {
	case <-w.feed.stream.Moved():
		w.close()
		return w.open(ctx)
	default:
		return nil
	}
}

func (w *writer) open(ctx context.Context) error {
	p := w.outlet.procs
	stream, err := w.openStream(ctx)
	if err != nil {
		return err
	}
	f := &feed{stream: stream, generation: p.nextGen.Add(1), over: make(chan struct{})}
	f.watched = p.cfg.Tasks.Go("feed", func(ctx context.Context) { p.watch(ctx, w.outlet.key, f) }) // false: the last words of a node that stops
	w.feed, w.buf = f, bufio.NewWriterSize(stream, flushSize)
	w.unbind = context.AfterFunc(ctx, func() { _ = stream.SetWriteDeadline(time.Now().Add(stopGrace)) })
	_, err = w.buf.Write(encodeStreamHeader(w.outlet.key.shard, f.generation, w.after()))
	return err
}

func (w *writer) openStream(ctx context.Context) (Stream, error) {
	within := openTime
	if ctx.Err() != nil {
		within = stopGrace / 2
	}
	opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace/2, cancel) })()
	return w.outlet.procs.cfg.Network.OpenMessages(opening, w.outlet.key.node)
}

// after is the generation of the stream before, if the receiver may not have seen all
// of it and still can.
func (w *writer) after() uint64 {
	if w.before == nil {
		return 0
	}
	select {
	case <-w.before.over:
	case <-w.before.stream.Ended():
	default:
		return w.before.generation
	}
	return 0
}

// close ends the stream in good order: what was flushed arrives.
func (w *writer) close() {
	if w.feed == nil {
		return
	}
	w.feed.closing.Store(true)
	if err := w.feed.stream.CloseWrite(); err != nil {
		w.drop()
		return
	}
	if !w.feed.watched {
		w.feed.stream.Release()
	}
	w.forget(w.feed)
}

// drop gives the stream up.
func (w *writer) drop() {
	if w.feed == nil {
		return
	}
	w.feed.stream.Reset(transport.CloseNone)
	w.feed.stream.Release()
	w.outlet.procs.calls.failStream(w.outlet.key.node, w.feed.generation)
	w.forget(nil)
}

func (w *writer) forget(before *feed) {
	w.unbind()
	w.feed, w.buf, w.unbind, w.before = nil, nil, nil, before
}

// watch waits until the peer ends its side of a stream. Unless it does so in good
// order, after we did, calls that went over it are lost.
func (p *Processes) watch(ctx context.Context, key outletKey, f *feed) {
	defer close(f.over)
	defer f.stream.Release()
	defer context.AfterFunc(ctx, func() { _ = f.stream.SetReadDeadline(time.Now()) })()
	_, err := f.stream.Read(make([]byte, 1))
	switch {
	case errors.Is(err, io.EOF) && f.closing.Load():
	case ctx.Err() != nil: // what is on its way may still arrive
	default:
		f.stream.Reset(transport.CloseProtocol)
		p.calls.failStream(key.node, f.generation)
	}
}
