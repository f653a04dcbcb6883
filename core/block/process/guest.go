package process

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Bounds of what is kept for one peer.
const (
	maxServing = 16 << 10 // calls
	maxCancels = 64       // that came before their call
	// maxLeft bounds the deadline that a peer can ask for, in milliseconds.
	maxLeft = uint64(24 * time.Hour / time.Millisecond)
)

// guest is what this node keeps of one life of a peer that sends to it, for as long as
// there is a link. All of it is guarded by Processes.mu.
type guest struct {
	node        name.Node
	incarnation uint64
	down        bool // the link is gone: nobody waits for answers
	serving     map[uint64]context.CancelFunc
	cancelled   []uint64 // calls that were cancelled before they came
	inlets      [shards + 1]inlet
	streams     map[Stream]struct{} // that are read, or wait to be
	unanswered  bool                // an answer could not be sent
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
		g = &guest{node: node, incarnation: incarnation, serving: map[uint64]context.CancelFunc{}, streams: map[Stream]struct{}{}}
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

// unanswered notes that somebody waits in vain.
func (p *Processes) unanswered(g *guest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.unanswered = true
}

// breakOff resets the streams of those who wait in vain, which tells them.
func (p *Processes) breakOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.guests {
		for stream := range g.streams {
			if g.unanswered {
				stream.Reset(transport.CloseStopping)
			}
		}
		g.unanswered = false
	}
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
	g.down = true
	for id, cancel := range g.serving {
		delete(g.serving, id)
		cancel()
	}
}

func (p *Processes) isDown(g *guest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.down
}

// serve notes a call of a guest; its context ends with the deadline of the call, or
// when the caller changes its mind or is gone.
func (p *Processes) serve(g *guest, f frame) (context.Context, error) {
	var deadline time.Time
	if f.left > 0 {
		deadline = time.Now().Add(time.Duration(min(f.left, maxLeft)) * time.Millisecond)
	}
	ctx, cancel := until(deadline)
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(g.cancelled, f.call)
	switch {
	case g.serving[f.call] != nil:
		cancel()
		return nil, fmt.Errorf("call %d: the number is taken: %w", f.call, ErrMalformed)
	case len(g.serving) >= maxServing:
		cancel()
		return nil, fmt.Errorf("%d calls of this node are under way, the most there may be: %w", maxServing, ErrBusy)
	case g.down || i >= 0:
		cancel() // nobody waits
	default:
		g.serving[f.call] = cancel
	}
	if i >= 0 {
		g.cancelled = slices.Delete(g.cancelled, i, i+1)
	}
	return ctx, nil
}

// until is a context with a deadline, unless it is zero.
func until(deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), deadline)
}

// served ends a call of a guest and reports whether its answer is awaited.
func (p *Processes) served(g *guest, id uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	cancel := g.serving[id]
	delete(g.serving, id)
	if cancel != nil {
		cancel()
	}
	return cancel != nil
}

// onCancel ends a call that nobody waits for any more. The cancel may overtake its
// call, which comes on another stream.
func (p *Processes) onCancel(g *guest, id uint64) {
	if p.served(g, id) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(g.cancelled) >= maxCancels {
		g.cancelled = slices.Delete(g.cancelled, 0, 1)
	}
	g.cancelled = append(g.cancelled, id)
}
