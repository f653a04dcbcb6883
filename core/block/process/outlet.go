package process

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Each pair of nodes has shards streams for messages each way and one for answers.
const (
	shards     = 4
	replyShard = shards
)

const (
	outletBytes = 2 * maxFrame     // that may wait for one stream
	outletIdle  = 30 * time.Second // an unused stream is closed after this
	openTime    = 15 * time.Second // for a stream to be opened, dialing included
	flushSize   = 32 << 10
)

type outletKey struct {
	node  name.Node
	shard uint8
}

// outItem is an encoded frame and what to do if it is lost, certainly or perhaps.
type outItem struct {
	data []byte
	lost func(error)
}

// outlet writes the messages of one shard to one node, in order, over one stream
// after the other. Its goroutine exists only while there is something to do.
type outlet struct {
	procs *Processes
	key   outletKey
	wake  chan struct{} // room for one: the queue is not empty

	mu      sync.Mutex
	queue   []outItem
	bytes   int
	running bool
	room    chan struct{} // closed and made anew whenever the queue was taken
}

// enqueue hands a frame to the outlet for a node. It first makes sure that there is a
// link, so that a sender learns why there is none, and waits while too much waits.
func (p *Processes) enqueue(ctx context.Context, node name.Node, shard uint8, item outItem) error {
	if err := p.cfg.Network.Connect(ctx, node); err != nil {
		return err
	}
	o := p.outlet(node, shard)
	for {
		room, err := o.add(item, outletBytes)
		if err != nil || room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("message to %s: it reads too slowly: %w", node, ctx.Err())
		}
	}
}

// tryEnqueue hands over a frame that may be lost: it does not dial and does not wait.
func (p *Processes) tryEnqueue(node name.Node, shard uint8, item outItem) {
	_, _ = p.outlet(node, shard).add(item, outletBytes/2)
}

func (p *Processes) outlet(node name.Node, shard uint8) *outlet {
	key := outletKey{node, shard}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.outlets[key]
	if o == nil {
		o = &outlet{procs: p, key: key, wake: make(chan struct{}, 1), room: make(chan struct{})}
		p.outlets[key] = o
	}
	return o
}

// add queues an item if no more than limit bytes wait; otherwise it returns a channel
// that is closed when it is worth trying again.
func (o *outlet) add(item outItem, limit int) (<-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes > 0 && o.bytes+len(item.data) > limit {
		return o.room, nil
	}
	if !o.running {
		if !o.procs.cfg.Tasks.Go("outlet", o.run) {
			return nil, fmt.Errorf("message to %s: %w", o.key.node, ErrStopped)
		}
		o.running = true
	}
	o.queue = append(o.queue, item)
	o.bytes += len(item.data)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil, nil
}

// take empties the queue.
func (o *outlet) take() []outItem {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch := o.queue
	if len(batch) > 0 {
		o.queue, o.bytes = nil, 0
		close(o.room)
		o.room = make(chan struct{})
	}
	return batch
}

// rest ends the goroutine if there is nothing to do.
func (o *outlet) rest() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 {
		return false
	}
	o.running = false
	return true
}

func (o *outlet) run(ctx context.Context) {
	w := &writer{outlet: o}
	defer w.close()
	for {
		if batch := o.take(); len(batch) > 0 {
			w.write(ctx, batch)
			continue
		}
		if !w.wait(ctx) && o.rest() {
			return
		}
	}
}

// writer is the stream that an outlet writes to at present, if any.
type writer struct {
	outlet *outlet
	stream Stream
	buf    *bufio.Writer
}

// wait returns true when there may be something to write, false when the outlet has
// been idle for long or the node stops.
func (w *writer) wait(ctx context.Context) bool {
	timer := time.NewTimer(outletIdle)
	defer timer.Stop()
	for {
		var moved, ended <-chan struct{}
		if w.stream != nil {
			moved, ended = w.stream.Moved(), w.stream.Ended()
		}
		select {
		case <-w.outlet.wake:
			return true
		case <-moved:
			w.close()
		case <-ended:
			w.close()
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// write writes a batch and flushes it. Whatever may not have arrived is told so.
func (w *writer) write(ctx context.Context, batch []outItem) {
	err := w.ready(ctx)
	for i := 0; i < len(batch) && err == nil; i++ {
		_, err = w.buf.Write(batch[i].data)
	}
	if err == nil {
		err = w.buf.Flush()
	}
	if err == nil {
		w.stream.Touch()
		return
	}
	w.close()
	for _, item := range batch {
		item.lost(fmt.Errorf("message to %s: %w: %w", w.outlet.key.node, err, ErrNoConnection))
	}
}

// ready makes sure that there is a stream on the connection that is to be used.
func (w *writer) ready(ctx context.Context) error {
	if w.stream != nil {
		select {
		case <-w.stream.Moved():
			w.close()
		case <-w.stream.Ended():
			w.close()
		default:
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	stream, err := w.outlet.procs.cfg.Network.OpenMessages(ctx, w.outlet.key.node)
	if err != nil {
		return err
	}
	w.stream, w.buf = stream, bufio.NewWriterSize(stream, flushSize)
	head := binary.BigEndian.AppendUint64([]byte{w.outlet.key.shard}, w.outlet.procs.nextGen.Add(1))
	_, err = w.buf.Write(head)
	return err
}

// close ends the stream in good order: what was flushed arrives. The other direction
// is not used, so nothing is left to read.
func (w *writer) close() {
	if w.stream == nil {
		return
	}
	if err := w.stream.CloseWrite(); err != nil {
		w.stream.Reset(transport.CloseNone)
	}
	w.stream.Release()
	w.stream, w.buf = nil, nil
}
