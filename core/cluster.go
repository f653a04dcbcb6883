package core

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// alone reports that the node has no neighbour and should have one.
func (l *life) alone() bool {
	return !l.left.Load() && !l.node.cfg.Node.Hidden && len(l.membership.View().Active) == 0
}

// stranger reports that a node is no living member, although this one is.
func (l *life) stranger(node name.Node) bool {
	if l.left.Load() || l.node.cfg.Node.Hidden {
		return false
	}
	return !slices.ContainsFunc(l.membership.Members(), func(m membership.Member) bool {
		return m.Node == node && m.State == membership.Alive
	})
}

// listTime is for how long the backends of discovery may take to list nodes.
const listTime = 5 * time.Second

// found are the nodes that discovery lists, for a node that lost all its neighbours.
func (l *life) found(ctx context.Context) (nodes []name.Node) {
	if !l.isolated.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	listed, _, err := l.resolver.List(ctx)
	if err != nil {
		l.log.Debug("discovery did not list all", "error", err)
	}
	for _, one := range listed {
		nodes = append(nodes, one.Node)
	}
	return nodes
}

// gate keeps a join that the bootstrap began from undoing a leave that came after it.
type gate struct {
	joining sync.RWMutex // held for reading while the bootstrap joins
	mu      sync.Mutex
	give    context.CancelFunc // ends the joins under way
	ctx     context.Context
}

// enter joins on behalf of the bootstrap, unless the node was told to leave; a leave
// that comes meanwhile ends it.
func (l *life) enter(ctx context.Context, through name.Node) error {
	l.gate.joining.RLock()
	defer l.gate.joining.RUnlock()
	stay := l.gate.context() // before the look, or a leave between the two would end nothing
	if l.left.Load() {
		return fmt.Errorf("join through %s: %w", through, membership.ErrLeft)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stay, cancel)()
	if err := l.membership.Join(ctx, through); err != nil {
		return err
	}
	l.joined(through)
	return nil
}

func (l *life) joined(through name.Node) {
	l.publish("node", "joined", l.name, "through "+through.String(), nil)
}

// context ends when the next leave begins.
func (g *gate) context() context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx == nil {
		g.ctx, g.give = context.WithCancel(context.Background())
	}
	return g.ctx
}

// shut ends the joins under way and waits for them; the caller opens it again.
func (g *gate) shut() (open func()) {
	g.mu.Lock()
	if g.give != nil {
		g.give()
	}
	g.ctx, g.give = nil, nil
	g.mu.Unlock()
	g.joining.Lock()
	return g.joining.Unlock
}

// join joins on behalf of the user, and ends what leave began.
func (l *life) join(ctx context.Context, through name.Node) error {
	if through == l.name {
		return fmt.Errorf("join: %s is this node itself: name another", through)
	}
	if l.node.cfg.Node.Hidden {
		return fmt.Errorf("join %s: this node is hidden and can be no member: set node.hidden to false", through)
	}
	if err := l.membership.Join(ctx, through); err != nil {
		return err
	}
	if l.left.Swap(false) {
		l.announce(ctx)
	}
	l.joined(through)
	return nil
}

// leave says good-bye to the cluster, and to discovery, so that nobody looks for the
// node while it is out.
func (l *life) leave(ctx context.Context) error {
	already := l.left.Swap(true)
	defer l.gate.shut()()
	err := l.membership.Leave(ctx)
	l.isolated.Store(false)
	l.partitioned.Store(false)
	if already {
		return err
	}
	l.withdraw(ctx)
	l.publish("node", "left", l.name, "told to leave", nil)
	return err
}

// farewell is what a node does before it stops: finish what others wait for, leave, and
// close the links so that no peer takes it for a failure. It never takes longer than
// the leave timeout, of which work that does not end may use half.
func (l *life) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.node.cfg.Node.LeaveTimeout)
	defer cancel()
	l.drain(ctx)
	if err := l.leave(ctx); err != nil {
		l.log.Warn("not left in good order", "error", err)
	}
	l.links.CloseAll(ctx, transport.CloseLeaving, "node leaves")
}

func (l *life) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.node.cfg.Node.LeaveTimeout/2)
	defer cancel()
	if err := l.processes.Drain(ctx); err != nil {
		l.log.Warn("stopping in the middle of work", "error", err)
		return
	}
	l.links.Settle(ctx)
}
