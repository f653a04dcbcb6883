package registryormap

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/interfaces/inbox"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// Input queues what happened for the one goroutine that thinks.
func (o *ormap) Input(in registry.Input) {
	peer := membership.Peer{Node: in.Node}
	switch in.Kind {
	case registry.Member:
		o.box.Add(in.Event)
	case registry.PeerUp:
		o.box.Put(membership.Input{Kind: membership.LinkUp, Peer: peer})
	case registry.PeerDown:
		o.box.Put(membership.Input{Kind: membership.LinkDown, Peer: peer})
	case registry.Frame:
		o.box.Put(membership.Input{Kind: membership.Frame, Peer: peer, Data: in.Data})
	case registry.Broadcast:
		o.box.Put(membership.Input{Kind: membership.Broadcast, Peer: peer, Data: in.Data})
	}
}

// careEvery is how often the plugin looks after itself.
const careEvery = 2 * time.Second

func (o *ormap) run(ctx context.Context) {
	timer, care := time.NewTimer(time.Hour), time.NewTicker(careEvery)
	defer timer.Stop()
	defer care.Stop()
	for {
		o.arm(timer)
		select {
		case <-ctx.Done():
			return
		case <-o.box.Ready():
			o.takeAll(ctx)
		case <-timer.C:
			o.tick()
		case <-o.rearm:
		case <-care.C:
			o.care()
		}
	}
}

func (o *ormap) arm(timer *time.Timer) {
	o.mu.Lock()
	o.next = o.machine.Next()
	wait := o.next - o.now()
	o.mu.Unlock()
	timer.Reset(max(wait, 0))
}

func (o *ormap) takeAll(ctx context.Context) {
	for ctx.Err() == nil {
		p, ok := o.box.Take()
		if !ok {
			return
		}
		o.mu.Lock()
		o.take(p)
		o.mu.Unlock()
	}
}

func (o *ormap) tick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.step(replica.Input{Kind: replica.Tick})
}

// take gives the machine what came. A peer that sends more than is read loses frames,
// which comparisons make good: they begin anew with it.
func (o *ormap) take(p inbox.Parcel[membership.Event]) {
	switch {
	case p.Own != nil:
		o.member(p.Own)
	case p.Input == nil:
		o.env.Log.Debug("frames dropped: a neighbour sends more than is read", "peer", p.TooFast)
		o.box.Renew(p.TooFast)
	default:
		o.linked(p.Input)
	}
}

func (o *ormap) member(e *membership.Event) {
	in := replica.Input{Node: e.Node, Inc: e.Incarnation}
	switch e.Type {
	case membership.MemberUp:
		in.Kind = replica.MemberUp
	case membership.MemberDown:
		in.Kind, in.Text = replica.MemberEnd, "node down"
	case membership.MemberLeft:
		in.Kind, in.Text = replica.MemberEnd, "node left"
	default:
		return
	}
	o.step(in)
}

func (o *ormap) linked(in *membership.Input) {
	kinds := map[membership.InputKind]replica.InKind{
		membership.LinkUp: replica.PeerUp, membership.LinkDown: replica.PeerDown,
		membership.Frame: replica.Frame, membership.Broadcast: replica.Broadcast,
	}
	o.step(replica.Input{Kind: kinds[in.Kind], Node: in.Peer.Node, Data: in.Data})
}

// step gives the machine an input and does what it asks for. The caller holds mu.
func (o *ormap) step(in replica.Input) {
	o.machine.Step(o.now(), &in, &o.out)
	o.perform()
}

// perform does what the machine asked for. The caller holds mu.
func (o *ormap) perform() {
	o.show(o.out.Changes)
	for _, data := range o.out.Broadcasts {
		if err := o.env.Network.Broadcast(data); err != nil {
			o.env.Log.Debug("not broadcast; comparisons will make it good", "error", err)
		}
	}
	for _, s := range o.out.Sends {
		_ = o.env.Network.Send(s.To, s.Data) // the machine counts on nothing
	}
	for _, subject := range o.out.Found {
		o.found(subject)
	}
	o.out.Reset()
	if o.machine.Next() < o.next {
		o.next = overlay.Never
		select {
		case o.rearm <- struct{}{}:
		default:
		}
	}
}
