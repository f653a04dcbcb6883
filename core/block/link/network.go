package link

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Connect makes sure that there is a link to node. It dials at once, whatever failed
// before; known are endpoints to try before discovery is asked.
func (l *Links) Connect(ctx context.Context, node name.Node, known []name.Address) error {
	_, err := l.get(ctx, node, known, true)
	return err
}

// Reach is Connect on behalf of somebody who sends: after a dial that failed it waits
// for the back-off to pass, and says so in a *BackoffError, before it dials again.
func (l *Links) Reach(ctx context.Context, node name.Node) error {
	_, err := l.get(ctx, node, nil, false)
	return err
}

// Send queues a control frame for node and never blocks: ErrNoLink without a link,
// ErrBusy when the peer reads too slowly.
func (l *Links) Send(node name.Node, channel Channel, body []byte) error {
	if len(body) > MaxFrame {
		return fmt.Errorf("frame for %s: %d bytes, at most %d: %w", node, len(body), MaxFrame, ErrFrame)
	}
	l.mu.Lock() // with it held, no frame is queued on a connection that has just lost
	defer l.mu.Unlock()
	p := l.peers[node]
	if p == nil || p.current == nil {
		return fmt.Errorf("frame for %s: %w", node, ErrNoLink)
	}
	p.current.touchBy(channel.ofNeighbours())
	if err := p.current.send(channel, body); err != nil {
		return fmt.Errorf("frame for %s: %w", node, err)
	}
	return nil
}

func (l *Links) current(node name.Node) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[node]; p != nil {
		return p.current
	}
	return nil
}

// settleTime is for how long Settle waits for a peer.
const settleTime = time.Second

// Settle waits until each peer has answered once: what was written to it before has
// arrived then, as far as that can be known from here.
func (l *Links) Settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var pings sync.WaitGroup
	for _, info := range l.List() {
		if c := l.current(info.Peer.Node); c != nil {
			pings.Go(func() { _, _ = c.ping(ctx, outboxSize, true) }) // who does not answer is not waited for
		}
	}
	pings.Wait()
}

// Hold keeps the link to node from being closed as idle, or lets it go again.
func (l *Links) Hold(node name.Node, hold bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[node]; p != nil || hold {
		p = l.peer(node)
		p.held = hold
		if hold {
			p.released = time.Time{}
		}
	}
}

// Disconnect closes the link to node, if there is one, after what was sent before.
func (l *Links) Disconnect(node name.Node, code transport.CloseCode, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[node]; p != nil {
		p.part(code, reason)
	}
}

// part says good-bye on all connections. Callers hold l.mu.
func (p *peer) part(code transport.CloseCode, reason string) []*conn {
	for _, c := range p.conns {
		c.goodbye(code, reason)
		p.leave(c)
	}
	return p.conns
}

// Info describes a link.
type Info struct {
	Peer    Peer
	Dialed  bool
	Age     time.Duration
	Idle    time.Duration // since it was last used for something other than upkeep
	Streams int           // open streams that keep it in use
	Conn    transport.Info
}

// List describes all links, sorted by node.
func (l *Links) List() []Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	infos := make([]Info, 0, len(l.peers))
	for _, p := range l.peers {
		if c := p.current; c != nil {
			infos = append(infos, Info{
				Peer: c.peer, Dialed: c.dialed, Age: time.Since(c.opened), Idle: c.idle(),
				Streams: int(c.inUse.Load()), Conn: c.t.Info(),
			})
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return a.Peer.Node.Compare(b.Peer.Node) })
	return infos
}

// Peer returns who is linked under a name, false without a link.
func (l *Links) Peer(node name.Node) (Peer, bool) {
	if c := l.current(node); c != nil {
		return c.peer, true
	}
	return Peer{}, false
}
