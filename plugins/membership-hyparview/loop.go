package membershiphyparview

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// loop is the goroutine of one Start. It alone lets the mind think, and acts.
type loop struct {
	h       *host
	mind    *mind
	timer   *time.Timer
	stopped chan struct{}
	saved   time.Time
	told    refusals // as reported last
}

// saveEvery is how often the known members are written down, if they have changed;
// saveSoon is that after a member came.
const (
	saveEvery = 30 * time.Second
	saveSoon  = 5 * time.Second
)

func (l *loop) run(ctx context.Context) {
	defer close(l.stopped)
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	l.saved = time.Now()
	l.think(func(m *mind) { m.begin() })
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.timer.C:
			l.think(func(m *mind) { m.expire() })
			l.upkeep()
		case <-l.h.box.Ready():
			l.drain(ctx)
		}
	}
}

func (l *loop) drain(ctx context.Context) {
	for ctx.Err() == nil {
		p, ok := l.h.box.Take()
		switch {
		case !ok:
			return
		case p.Own != nil:
			l.think(func(m *mind) { m.command(p.Own) })
		case p.Input != nil:
			l.think(func(m *mind) { m.input(p.Input) })
		default:
			l.turnOut(p.TooFast)
		}
	}
}

// turnOut ends a link that brings more than can be read.
func (l *loop) turnOut(node name.Node) {
	l.h.env.Log.Warn("peer sends membership frames faster than they are read; link closed", "peer", node)
	l.h.env.Network.Disconnect(node, transport.CloseBusy, "too many membership frames waiting")
}

// think runs one step and then does what came of it: whoever is told of a change finds
// it in Members.
func (l *loop) think(step func(m *mind)) {
	acts, wake := l.step(step)
	for i := range acts {
		l.act(&acts[i])
	}
	l.timer.Reset(max(wake, 0))
}

// step lets the mind think; should it panic, the lock is free again.
func (l *loop) step(step func(m *mind)) (acts []act, wake time.Duration) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	l.mind.now = l.h.now()
	l.mind.book.checks.now = l.mind.now
	step(l.mind)
	acts = l.mind.settle()
	l.h.left = l.mind.hv.HasLeft()
	return acts, l.mind.timers.next() - l.mind.now
}

// upkeep is what is done now and then.
func (l *loop) upkeep() {
	wait := saveEvery
	if l.mind.news {
		wait = saveSoon
	}
	if time.Since(l.saved) < wait {
		return
	}
	l.saved, l.mind.news = time.Now(), false
	l.h.env.Tasks.Go("save", func(context.Context) {
		if err := l.h.save(); err != nil {
			l.h.env.Log.Warn("the known members were not written down", "error", err)
		}
	})
	l.h.mu.Lock()
	now := l.mind.book.refuse
	l.h.mu.Unlock()
	if now != l.told {
		l.told = now
		l.h.env.Log.Info("hearsay was not believed", "forged", now.forged, "foreign", now.foreign, "untrusted", now.untrusted,
			"conflicts", now.conflicts, "no_room", now.full, "too_fast", now.hasty)
	}
}

// act does one thing that the mind asked for.
func (l *loop) act(a *act) {
	network := l.h.env.Network
	switch a.kind {
	case actEmit:
		l.h.env.Emit(a.event)
	case actSend:
		l.send(a.node, a.data)
	case actOnce:
		l.once(a)
	case actDial:
		l.dial(a)
	case actHold:
		network.Hold(a.node, a.hold)
	case actClose:
		network.Disconnect(a.node, a.code, a.text)
	case actBroadcast:
		if err := network.Broadcast(a.data); err != nil {
			l.h.env.Log.Warn("a word for everybody was not sent", "error", err)
		}
	case actFlush:
		l.flush()
	case actAnswer:
		a.answer <- a.err
	}
}

// send may fail: a link that is gone is on its way as LinkDown. One that is full is
// closed, so that both machines hear that messages were lost on it.
func (l *loop) send(node name.Node, frame []byte) {
	err := l.h.env.Network.Send(node, frame)
	if err == nil {
		return
	}
	l.h.env.Log.Debug("membership frame not sent", "peer", node, "error", err)
	if isBusy(err) {
		l.h.env.Network.Disconnect(node, transport.CloseBusy, "membership frames are not read")
	}
}

// dial makes a link in a goroutine of its own; the machine bounds how many there are.
func (l *loop) dial(a *act) {
	peer, node, known := a.peer, a.node, a.known
	run := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		l.h.box.Add(own{dialed: peer, err: l.h.env.Network.Connect(ctx, node, known)})
	}
	if !l.h.env.Tasks.Go("dial "+node.String(), run) {
		l.h.box.Add(own{dialed: peer, err: membership.ErrNoLink})
	}
}

// once sends a frame over a link that is made for it if need be, and not needed after.
func (l *loop) once(a *act) {
	node, known, data := a.node, a.known, a.data
	l.h.env.Tasks.Go("send to "+node.String(), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		if err := l.h.env.Network.Connect(ctx, node, known); err == nil {
			_ = l.h.env.Network.Send(node, data) // it may be lost, and nobody is told
			l.h.env.Network.Disconnect(node, transport.CloseIdle, "was made for one message")
		}
		l.h.mu.Lock()
		l.mind.onces--
		l.h.mu.Unlock()
	})
}

// flushTime is how long neighbours have to read the good-bye.
const flushTime = time.Second

func (l *loop) flush() {
	run := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, flushTime)
		defer cancel()
		if err := l.h.env.Network.Flush(ctx); err != nil {
			l.h.env.Log.Debug("not every neighbour has read the good-bye", "error", err)
		}
		l.h.box.Add(own{flushed: true})
	}
	if !l.h.env.Tasks.Go("flush", run) {
		l.h.box.Add(own{flushed: true})
	}
}
