package membershipfull

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/core/machine/fullmesh"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// loop owns the machine of one Start.
type loop struct {
	f        *full
	m        *fullmesh.Machine
	out      fullmesh.Effects
	timer    *time.Timer
	stopped  chan struct{}
	near     int    // neighbours
	rejected uint64 // as many bad frames were reported
}

// newLoop makes the machine. The caller holds f.mu.
func newLoop(f *full) *loop {
	s, known := f.settings, f.state.Load()
	cfg := fullmesh.Config{
		Self: f.env.Node, Incarnation: f.env.Incarnation,
		Retry: s.Retry, RetryMax: s.RetryMax, Suspect: s.SuspectTimeout,
		DialTimeout: s.DialTimeout, JoinTimeout: s.JoinTimeout, Sync: s.SyncPeriod,
		ForgetDown: s.ForgetDown, ForgetLeft: s.ForgetLeft,
		MaxMembers: s.MaxMembers, Left: known.left, Known: known.others,
	}
	return &loop{f: f, stopped: make(chan struct{}), m: fullmesh.New(cfg, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))}
}

func (l *loop) run(ctx context.Context) {
	defer close(l.stopped)
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.timer.C:
			l.step(fullmesh.Tick())
		case <-l.f.inbox.Ready():
			l.drain(ctx)
		}
	}
}

func (l *loop) drain(ctx context.Context) {
	for ctx.Err() == nil {
		p, ok := l.f.inbox.Take()
		switch {
		case !ok:
			return
		case p.Own != nil:
			l.step(*p.Own)
		case p.Input != nil:
			l.link(p.Input)
		default:
			l.turnOut(p.TooFast)
		}
	}
}

// link takes what happened on a link. Broadcasts are none of this membership's business.
func (l *loop) link(in *membership.Input) {
	switch in.Kind {
	case membership.LinkUp:
		l.step(fullmesh.LinkUp(in.Peer))
	case membership.LinkDown:
		l.step(fullmesh.LinkDown(in.Peer, in.Code))
	case membership.Frame:
		l.step(fullmesh.Frame(in.Peer, in.Data))
	}
}

// turnOut ends a link that brings more than can be read.
func (l *loop) turnOut(node name.Node) {
	l.f.env.Log.Warn("peer sends membership frames faster than they are read; link closed", "peer", node)
	l.f.env.Network.Disconnect(node, transport.CloseBusy, "too many membership frames waiting")
}

// step lets the machine think, shows the result to readers, and then acts: who is
// told of a change finds it in Members.
func (l *loop) step(in fullmesh.Input) {
	now := time.Since(l.f.epoch)
	l.m.Step(now, in, &l.out)
	if l.out.Changed {
		l.f.state.Store(newSnapshot(l.m))
	}
	if n := l.m.Rejected(); n > l.rejected {
		l.rejected = n
		l.f.env.Log.Debug("membership frame does not parse; dropped", "peer", in.Peer.Node, "dropped_so_far", n)
	}
	for _, e := range l.out.List {
		l.carry(e)
	}
	if l.out.Wake == fullmesh.Never {
		l.timer.Stop()
	} else {
		l.timer.Reset(max(l.out.Wake-now, 0))
	}
}

func (l *loop) carry(e fullmesh.Effect) {
	network := l.f.env.Network
	switch e.Kind {
	case fullmesh.Send:
		l.send(e)
	case fullmesh.Connect:
		l.connect(e)
	case fullmesh.Disconnect:
		network.Disconnect(e.Node, e.Code, e.Reason)
	case fullmesh.Hold, fullmesh.Release:
		network.Hold(e.Node, e.Kind == fullmesh.Hold)
	case fullmesh.Emit:
		l.emit(e.Event)
	case fullmesh.JoinDone, fullmesh.LeaveDone:
		l.f.answer(e.ID, e.Err)
	}
}

// emit tells an event, and whether this node is alone by it.
func (l *loop) emit(e membership.Event) {
	l.f.env.Emit(e)
	was := l.near
	switch e.Type {
	case membership.PeerUp:
		l.near++
	case membership.PeerDown:
		l.near--
	}
	own := membership.Event{Node: l.f.env.Node, Incarnation: l.f.env.Incarnation}
	switch {
	case l.m.HasLeft() || was == l.near:
		return
	case l.near == 0:
		own.Type, own.Reason = membership.Isolated, "no neighbours are left"
	case was == 0:
		own.Type = membership.Connected
	default:
		return
	}
	l.f.env.Emit(own)
}

// send may fail: a link that is gone is on its way as LinkDown, and a peer that reads
// too slowly is told again by the next sync.
func (l *loop) send(e fullmesh.Effect) {
	if err := l.f.env.Network.Send(e.Node, e.Frame); err != nil {
		l.f.env.Log.Debug("membership frame not sent", "peer", e.Node, "error", err)
	}
}

// connect dials in a goroutine of its own; the machine bounds how many there are.
func (l *loop) connect(e fullmesh.Effect) {
	dial := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, e.Timeout)
		defer cancel()
		err := l.f.env.Network.Connect(ctx, e.Node, e.Known)
		l.f.inbox.Add(fullmesh.Connected(e.Node, err))
	}
	if !l.f.env.Tasks.Go("dial "+e.Node.String(), dial) {
		l.f.inbox.Add(fullmesh.Connected(e.Node, membership.ErrNoLink))
	}
}
