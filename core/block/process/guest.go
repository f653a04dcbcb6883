package process

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Bounds of what is kept for one peer.
const (
	maxServing = 16 << 10 // calls
	maxCancels = 64       // that came before their call
	// maxLeft bounds the deadline that a peer can ask for, in milliseconds.
	maxLeft = uint32(24 * time.Hour / time.Millisecond)
	// maxHeld bounds the payloads of one peer that wait in mailboxes, in bytes.
	maxHeld = 128 << 20
)

// guest is what this node keeps of one life of a peer that sends to it, for as long as
// there is a link. The inlets and streams are guarded by Processes.mu.
type guest struct {
	procs       *Processes
	node        name.Node
	incarnation uint64
	inlets      [shards + 1]inlet
	streams     map[Stream]struct{} // that are read, or wait to be
	held        atomic.Int64        // bytes that wait in mailboxes

	mu         sync.Mutex
	down       bool // the link is gone: nobody waits for answers
	serving    map[uint64]*servedCall
	cancelled  []uint64 // calls that were cancelled before they came
	arrivals   map[uint64]*arrival
	unanswered bool // an answer could not be sent
}

// guest returns what is kept of a peer, made on demand; nil for an earlier life than
// one that is known, and when nothing is read any more.
func (p *Processes) guest(node name.Node, incarnation uint64, stream Stream) *guest {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.guests[node]
	if p.sealed.Load() || g != nil && g.incarnation > incarnation {
		return nil
	}
	if g == nil || g.incarnation < incarnation {
		g.dismiss()
		g = &guest{
			procs: p, node: node, incarnation: incarnation, serving: map[uint64]*servedCall{},
			streams: map[Stream]struct{}{}, arrivals: map[uint64]*arrival{},
		}
		p.guests[node] = g
	}
	g.streams[stream] = struct{}{}
	return g
}

func (p *Processes) farewell(g *guest, stream Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g != nil {
		delete(g.streams, stream)
	}
}

// breakOff resets the streams of those who wait in vain, which tells them.
func (p *Processes) breakOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.guests {
		for stream := range g.streams {
			if g.waitsInVain() {
				stream.Reset(transport.CloseStopping)
			}
		}
	}
}

func (g *guest) waitsInVain() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unanswered
}

// dismiss ends what is done for a peer that is gone.
func (p *Processes) dismiss(node name.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guests[node].dismiss()
	delete(p.guests, node)
}

func (g *guest) dismiss() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = true
	for id, call := range g.serving {
		delete(g.serving, id)
		call.end(context.Canceled)
	}
}

func (g *guest) isDown() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.down
}

// hold counts bytes that wait here for the peer; false if there are too many.
func (g *guest) hold(size int) bool {
	if held := g.held.Add(int64(size)); held > maxHeld && held > int64(size) {
		g.held.Add(-int64(size))
		return false
	}
	return true
}

func (g *guest) letGo(size int) { g.held.Add(-int64(size)) }

// servedCall answers a caller elsewhere. Its context ends with the deadline of the
// call, or when the caller changes its mind or is gone.
type servedCall struct {
	callContext
	guest *guest
	id    uint64
}

func (c *servedCall) context(proc *Process) *callContext {
	c.begin(proc.life)
	return &c.callContext
}

func (c *servedCall) answer(value any, err error) {
	if c.guest.served(c.id) {
		c.guest.reply(c.id, value, err)
	}
}

// serve notes a call of the peer.
func (g *guest) serve(f *frame) (*servedCall, error) {
	c := &servedCall{guest: g, id: f.call}
	c.deadline = until(min(f.left, maxLeft))
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.cancelled, f.call)
	switch {
	case g.serving[f.call] != nil:
		return nil, fmt.Errorf("call %d: the number is taken: %w", f.call, ErrMalformed)
	case len(g.serving) >= maxServing:
		return nil, fmt.Errorf("%d calls of this node are under way, the most there may be: %w", maxServing, ErrBusy)
	case g.down || i >= 0:
		c.ended = context.Canceled // nobody waits
	default:
		g.serving[f.call] = c
	}
	if i >= 0 {
		g.cancelled = slices.Delete(g.cancelled, i, i+1)
	}
	return c, nil
}

// served ends a call of the peer and reports whether its answer is awaited.
func (g *guest) served(id uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	call := g.serving[id]
	delete(g.serving, id)
	if call != nil {
		call.end(context.Canceled)
	}
	return call != nil
}

// onCancel ends a call that nobody waits for any more. The cancel may overtake its
// call, which comes on another stream.
func (g *guest) onCancel(id uint64) {
	if g.served(id) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.cancelled) >= maxCancels {
		g.cancelled = slices.Delete(g.cancelled, 0, 1)
	}
	g.cancelled = append(g.cancelled, id)
}
