package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
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

// outItem is an encoded frame, and whom to tell if it is lost, certainly or perhaps: the
// call of this node that it is; otherwise it counts as a dead letter, unless quiet.
type outItem struct {
	data     []byte
	call     uint64
	quiet    bool
	deadline time.Time // of the call; zero: none
}

// outlet writes the messages of one shard to one node, in order, over one stream
// after the other. It exists only while there is something to do.
type outlet struct {
	procs *Processes
	key   outletKey
	wake  chan struct{} // room for one: the queue is not empty

	mu    sync.Mutex
	queue []outItem
	bytes int
	room  chan struct{} // closed when the queue is taken; nil while nobody waits
	over  bool          // another outlet takes its place

	writing bool // what was taken last
}

// enqueue hands a frame to the outlet for a node, and waits while too much waits.
func (p *Processes) enqueue(ctx context.Context, to Target, item outItem) error {
	for {
		room, err := p.hand(to.Node, to.shard(p.Self()), item, outletBytes)
		if err != nil || room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("message to %s: it reads too slowly: %w", to, ctx.Err())
		}
	}
}

// hand queues an item for a node if no more than limit bytes wait; otherwise it
// returns a channel that is closed when it is worth trying again.
func (p *Processes) hand(node name.Node, shard uint8, item outItem, limit int) (room <-chan struct{}, err error) {
	for {
		o, err := p.outlet(outletKey{node, shard})
		if err != nil {
			return nil, fmt.Errorf("message to %s: %w", node, err)
		}
		if room, ok := o.add(item, limit); ok {
			return room, nil
		}
	}
}

// outlet returns the outlet of a key, made and started on demand.
func (p *Processes) outlet(key outletKey) (*outlet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.outlets[key]; o != nil {
		return o, nil
	}
	o := &outlet{procs: p, key: key, wake: make(chan struct{}, 1)}
	if p.sealed.Load() || !p.cfg.Tasks.Go("outlet", o.run) {
		return nil, ErrStopped
	}
	p.outlets[key] = o
	return o, nil
}

// add queues an item, or returns a channel to wait for; false when another outlet has
// taken the place of this one.
func (o *outlet) add(item outItem, limit int) (room <-chan struct{}, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return nil, false
	}
	if o.bytes > 0 && o.bytes+len(item.data) > limit {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room, true
	}
	o.queue = append(o.queue, item)
	o.bytes += len(item.data)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil, true
}

// take empties the queue.
func (o *outlet) take() []outItem {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch := o.queue
	o.queue, o.bytes = nil, 0
	o.writing = len(batch) > 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return batch
}

// rest ends the outlet if there is nothing to do.
func (o *outlet) rest() bool {
	o.procs.mu.Lock()
	defer o.procs.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 {
		return false
	}
	o.over = true
	delete(o.procs.outlets, o.key)
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

// lost tells of items that did not arrive, or perhaps did not.
func (p *Processes) lost(node name.Node, batch []outItem, err error) {
	for _, item := range batch {
		switch {
		case item.call != 0:
			p.calls.finish(item.call, node, result{err: err})
		case !item.quiet:
			p.deadLetter(err, "to", node)
		}
	}
}
