package broadcast

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func (b *Broadcast) now() overlay.Time { return time.Since(b.epoch) }

// step lets the machine think and does what it asks for. Callers hold b.mu.
func (b *Broadcast) step(in overlay.Input[plumtree.Message]) {
	b.machine.Step(b.now(), &in, &b.out)
	b.carry()
	b.tellTree()
}

// carry does the effects. What finds no room goes back to the machine, which then asks
// for something smaller or for nothing.
func (b *Broadcast) carry() {
	for i := 0; i < len(b.out.Sends); i++ {
		b.send(&b.out.Sends[i])
	}
	for _, t := range b.out.Timers {
		b.wakeAt, b.timer = t.At, t.Timer
		b.resetTimer()
	}
	for i := range b.out.Events {
		b.deliver(&b.out.Events[i])
	}
	b.out.Reset()
}

func (b *Broadcast) send(s *overlay.Send[plumtree.Message]) {
	n := b.byPeer[s.To]
	if n == nil {
		return // no neighbour any more
	}
	room := outboxFrames
	if s.Msg.Kind != plumtree.Gossip {
		room += spareFrames
	}
	if !n.out.add(frame(&s.Msg), room) {
		msg := s.Msg // s may move when the machine asks for more
		b.machine.Unsent(b.now(), n.peer, &msg, &b.out)
	}
}

func (b *Broadcast) deliver(e *overlay.Event) {
	if e.Kind != overlay.Deliver || e.Peer == overlay.Nobody {
		return // what this node broadcast itself
	}
	handle := b.handlers[Topic(e.Key)]
	if handle == nil {
		return // a later version's topic; it has been passed on all the same
	}
	from := name.Node{}
	if n := b.byPeer[e.Peer]; n != nil {
		from = n.node
	}
	handle(from, e.Data)
}

func (b *Broadcast) resetTimer() {
	select {
	case b.rearm <- struct{}{}:
	default:
	}
}

// keepTime tells the machine when its timer has run out.
func (b *Broadcast) keepTime(ctx context.Context) {
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.rearm:
		case <-clock.C:
		}
		clock.Reset(b.expire())
	}
}

// expire steps the machine if it is time, and returns how long it is to the next.
func (b *Broadcast) expire() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := b.wakeAt; at <= b.now() {
		b.wakeAt = overlay.Never
		b.step(overlay.Input[plumtree.Message]{Kind: overlay.InTimer, Timer: b.timer})
	}
	return min(b.wakeAt-b.now(), time.Hour)
}
