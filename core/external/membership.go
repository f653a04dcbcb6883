package external

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// Membership makes a factory of a membership in a process of its own. Its settings are a
// *plugin.Section. While there is no process the picture stands still and links stay up.
// A new process is told which links there are and joins through the old neighbours; what
// the one before knew stays until the new one says otherwise, or until Options.Settle is
// over.
func Membership(spec Spec, opts Options) membership.Factory {
	return plugin.Define(spec.Name, "a plugin in a process of its own", noSection,
		func(env membership.Env, section *plugin.Section) (membership.Plugin, error) {
			if err := spec.validate(); err != nil {
				return nil, err
			}
			f := &membershipFacade{
				roll: wire.NewRoll(env.Node, env.Emit), network: env.Network,
				links: map[name.Node]membership.Peer{}, held: map[name.Node]int{},
			}
			f.guest = newGuest(spec, opts, env.Env, *section, []string{membership.Contract}, func(conn grpc.ClientConnInterface, _ wire.Description) *wire.Membership {
				own := env
				own.Network = f.lend()
				return wire.NewMembership(conn, own, f.roll)
			})
			f.guest.revived = f.tellAgain
			return f, nil
		})
}

// membershipFacade is a membership whose processes come and go. mu is held while a
// process is told what happens, so that nothing overtakes what a new one is told first.
type membershipFacade struct {
	*guest[*wire.Membership]

	roll    *wire.Roll
	network membership.Network

	mu    sync.Mutex
	fed   *wire.Membership // that knows what went before; nil: none
	links map[name.Node]membership.Peer
	tree  []name.Node
	left  bool
	stay  context.CancelFunc // ends the return of a new process; nil: none is under way

	holding sync.Mutex
	made    int               // processes that were lent the network
	held    map[name.Node]int // the links that are held, and for which of them
}

var (
	_ membership.Plugin     = (*membershipFacade)(nil)
	_ plugin.Reloader       = (*membershipFacade)(nil)
	_ plugin.HealthReporter = (*membershipFacade)(nil)
	_ plugin.HealthTeller   = (*membershipFacade)(nil)
	_ plugin.Hosted         = (*membershipFacade)(nil)
	_ plugin.Replacer       = (*membershipFacade)(nil)
	_ plugin.Facade         = (*membershipFacade)(nil)
)

// Start starts the first process, or one after Stop.
func (f *membershipFacade) Start(ctx context.Context) error {
	if err := f.guest.Start(ctx); err != nil {
		return err
	}
	if live, _ := f.now(); live != nil {
		f.tellAgain(ctx, live.half)
	}
	return nil
}

// Members reads memory.
func (f *membershipFacade) Members() []membership.Member { return f.roll.Members() }

// View reads memory.
func (f *membershipFacade) View() membership.View { return f.roll.View() }

// Join asks the plugin, for as long as ctx lets it.
func (f *membershipFacade) Join(ctx context.Context, through name.Node) error {
	err := f.do(ctx, func(ctx context.Context, m *wire.Membership) error { return m.Join(ctx, through) })
	if err == nil {
		f.note(false)
	}
	return err
}

// Leave asks the plugin. While there is none it is an error, and the next process is to
// leave. A new process that is about to return to the cluster does not.
func (f *membershipFacade) Leave(ctx context.Context) error {
	before := f.leaving()
	err := f.do(ctx, func(ctx context.Context, m *wire.Membership) error { return m.Leave(ctx) })
	if err != nil && !errors.Is(err, plugin.ErrGone) {
		f.note(before)
	}
	return err
}

// leaving notes that the node leaves, and returns whether it had left before.
func (f *membershipFacade) leaving() (before bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.left = f.left, true
	if f.stay != nil {
		f.stay()
	}
	return before
}

func (f *membershipFacade) do(ctx context.Context, ask func(context.Context, *wire.Membership) error) error {
	_, err := callWithin(ctx, f.guest, 0, func(ctx context.Context, m *wire.Membership) (struct{}, error) {
		return struct{}{}, ask(ctx, m)
	})
	return err
}

func (f *membershipFacade) note(left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = left
}

// Input remembers what a new process has to know, and tells the one of the moment.
func (f *membershipFacade) Input(in membership.Input) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remember(in)
	if live, _ := f.now(); live != nil && live.half == f.fed {
		f.fed.Input(in)
	}
}

// remember keeps the links that there are. The caller holds mu.
func (f *membershipFacade) remember(in membership.Input) {
	switch in.Kind {
	case membership.LinkUp, membership.LinkMoved:
		f.links[in.Peer.Node] = in.Peer
	case membership.LinkDown:
		delete(f.links, in.Peer.Node)
		f.roll.Unlink(in.Peer.Node)
	case membership.Tree:
		f.tree = in.Nodes
	case membership.Frame, membership.Broadcast:
	}
}

// tellAgain tells a new process which links there are, and has it return to the cluster.
func (f *membershipFacade) tellAgain(_ context.Context, m *wire.Membership) {
	left := f.introduce(m)
	members, neighbours := f.roll.Stale()
	if !left && members+neighbours == 0 {
		return
	}
	f.env.Tasks.Go("settling of "+f.id, func(ctx context.Context) {
		f.comeBack(ctx, m)
		f.settle(ctx, m)
	})
}

// introduce feeds a process what went before.
func (f *membershipFacade) introduce(m *wire.Membership) (left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fed = m
	for _, peer := range f.links {
		m.Input(membership.Input{Kind: membership.LinkUp, Peer: peer})
	}
	if len(f.tree) > 0 {
		m.Input(membership.Input{Kind: membership.Tree, Nodes: slices.Clone(f.tree)})
	}
	return f.left
}

// The patience of a new process with one node that it joins through, and the pause
// before it tries all of them again.
const (
	joinPatience = 10 * time.Second
	joinPause    = time.Second
)

// comeBack has a new process join through one of the neighbours that the one before had,
// or leave if this node has left. A leave meanwhile ends it.
func (f *membershipFacade) comeBack(ctx context.Context, m *wire.Membership) {
	joining, stay := context.WithCancel(ctx)
	defer stay()
	if f.returning(stay) {
		f.try(ctx, "leave", m.Leave)
		return
	}
	f.rejoin(joining, m)
}

// returning has Leave end what is under way with stay; true if the node has left.
func (f *membershipFacade) returning(stay context.CancelFunc) (left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stay = stay
	return f.left
}

func (f *membershipFacade) rejoin(ctx context.Context, m *wire.Membership) {
	for end := time.Now().Add(f.opts.Settle); ctx.Err() == nil && time.Now().Before(end) && f.serves(m); sleep(ctx, joinPause, nil) {
		for _, node := range f.roll.View().Active {
			if f.try(ctx, "join "+node.String(), func(ctx context.Context) error { return m.Join(ctx, node) }) {
				return
			}
		}
	}
}

func (f *membershipFacade) try(ctx context.Context, what string, do func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	err := do(ctx)
	if err != nil {
		f.env.Log.Debug("the new process of the plugin does not come back yet", "tried", what, "error", err)
	}
	return err == nil
}

// settle ends what only earlier processes knew, when the new one had time to learn it.
func (f *membershipFacade) settle(ctx context.Context, m *wire.Membership) {
	if !sleep(ctx, f.opts.Settle, nil) || !f.serves(m) {
		return
	}
	if n := f.roll.Sweep("not seen since the plugin was started again"); n > 0 {
		f.env.Log.Warn("members were not seen since the plugin was started again", "members", n)
	}
	f.holding.Lock()
	defer f.holding.Unlock()
	for node, by := range f.held {
		if by != f.made {
			delete(f.held, node)
			f.network.Hold(node, false)
		}
	}
}

// Health says besides how much stands still.
func (f *membershipFacade) Health() plugin.Health {
	h := f.guest.Health()
	members, neighbours := f.roll.Stale()
	if members+neighbours == 0 || h.State == plugin.Stopped {
		return h
	}
	return worse(h, fmt.Sprintf("frozen: %d members and %d neighbours are as an earlier process knew them", members, neighbours))
}

// worse is a health with something that is amiss besides.
func worse(h plugin.Health, amiss string) plugin.Health {
	if h.Detail != "" {
		amiss = h.Detail + "; " + amiss
	}
	if h.State == plugin.Healthy {
		h.State = plugin.Degraded
	}
	return plugin.Health{State: h.State, Detail: amiss}
}

// lend is the network for the next process.
func (f *membershipFacade) lend() membership.Network {
	f.holding.Lock()
	defer f.holding.Unlock()
	f.made++
	return &lentNetwork{Network: f.network, facade: f, number: f.made}
}

// lentNetwork is the network as one process is lent it: the links that it holds stay
// held when it ends.
type lentNetwork struct {
	membership.Network

	facade *membershipFacade
	number int
}

// Hold notes for whom a link is held.
func (l *lentNetwork) Hold(node name.Node, hold bool) {
	l.note(node, hold)
	l.Network.Hold(node, hold)
}

// Disconnect lets go what was held.
func (l *lentNetwork) Disconnect(node name.Node, code transport.CloseCode, reason string) {
	l.note(node, false)
	l.Network.Disconnect(node, code, reason)
}

func (l *lentNetwork) note(node name.Node, hold bool) {
	l.facade.holding.Lock()
	defer l.facade.holding.Unlock()
	if delete(l.facade.held, node); hold {
		l.facade.held[node] = l.number
	}
}
