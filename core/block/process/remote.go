package process

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Each pair of nodes has shards streams for messages each way and one for answers.
// largeShard marks a stream for one large payload.
const (
	shards     = 4
	replyShard = shards
	largeShard = shards + 1
)

// remote is another node that this one sends to.
type remote struct {
	procs    *Processes
	node     name.Node
	calls    calls
	outlets  [shards + 1]outlet
	larges   chan struct{} // slots for large payloads under way
	replying atomic.Int64  // bytes of large answers under way
}

// maxLarges bounds the large payloads that are on their way to one node.
const maxLarges = 8

// remotes are looked up with every message and change seldom: whoever changes them
// makes a new map.
type remotes struct {
	mu  sync.Mutex
	all atomic.Pointer[map[name.Node]*remote]
}

func (r *remotes) get(node name.Node) *remote {
	if all := r.all.Load(); all != nil {
		return (*all)[node]
	}
	return nil
}

func (r *remotes) list() map[name.Node]*remote {
	if all := r.all.Load(); all != nil {
		return *all
	}
	return nil
}

// remote returns what is kept of a node, made on demand.
func (p *Processes) remote(node name.Node) *remote {
	if r := p.remotes.get(node); r != nil {
		return r
	}
	p.remotes.mu.Lock()
	defer p.remotes.mu.Unlock()
	all := maps.Clone(p.remotes.list())
	if all[node] != nil {
		return all[node]
	}
	if all == nil {
		all = map[name.Node]*remote{}
	}
	r := &remote{procs: p, node: node, larges: make(chan struct{}, maxLarges)}
	r.calls.waiting = map[uint64]*call{}
	for shard := range r.outlets {
		r.outlets[shard].init(r, uint8(shard))
	}
	all[node] = r
	p.remotes.all.Store(&all)
	return r
}

// prune forgets the nodes with which nothing is going on.
func (p *Processes) prune() {
	p.remotes.mu.Lock()
	defer p.remotes.mu.Unlock()
	all := maps.Clone(p.remotes.list())
	for node, r := range all {
		if r.unused() {
			delete(all, node)
		}
	}
	p.remotes.all.Store(&all)
}

// unused marks the outlets of a node that is forgotten, so that who still has hold of
// one asks again.
func (r *remote) unused() bool {
	if r.calls.any() {
		return false
	}
	for i := range r.outlets {
		if !r.outlets[i].retire() {
			for j := range i {
				r.outlets[j].unretire()
			}
			return false
		}
	}
	return true
}

// cutOff gives up what waits for a link that has ended; who sends from now on needs
// another.
func (r *remote) cutOff(err error) {
	for i := range r.outlets {
		o := &r.outlets[i]
		o.lose(o.roll(o.current().generation), err)
	}
}

// connect makes sure that there is a link.
func (p *Processes) connect(ctx context.Context, node name.Node) error {
	if p.sealed.Load() || p.isStopped() {
		return fmt.Errorf("message to %s: %w", node, ErrStopped)
	}
	err := p.cfg.Network.Connect(ctx, node)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, ErrNoConnection)
}
