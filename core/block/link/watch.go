package link

import (
	"context"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// heartbeatSize is large enough that a restarted peer answers it with a stateless
// reset, which QUIC does only for packets that are not tiny.
const heartbeatSize = 40

const datagramHeartbeat = 1

// longestTick is how often connections are looked at, at least.
const longestTick = 250 * time.Millisecond

// vigil is what the watch knows of one connection, and nobody else looks at.
type vigil struct {
	packets       uint64
	remote        name.Address // where the peer is
	heard, beaten time.Time
	silent        bool // and told to end
}

// watchLoop is the one goroutine that watches all connections: it sends heartbeats, and
// ends a connection on which nothing arrives for the idle time of the transport. A node
// that was itself asleep (stopped, suspended) gives its peers a full idle time from when
// it woke up: its own pause proves nothing of them. It also sees to the links that
// membership has released.
//
// Nobody reads datagrams: that they arrive is seen in the packet counter, and what finds
// no room in the queue of the transport is lost by contract.
func (l *Links) watchLoop(ctx context.Context) {
	limits := l.cfg.Transport.Liveness()
	tick := min(max(limits.Heartbeat/4, time.Millisecond), longestTick)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		asleep := now.Sub(last) > limits.Heartbeat*2
		last = now
		for _, c := range l.living() {
			c.listen(now, asleep, limits.Idle)
			if now.Sub(c.vigil.beaten) >= limits.Heartbeat-tick/2 {
				c.beat(now)
			}
		}
		l.tellMoved()
		for _, c := range l.surplusNow(now) {
			_ = c.upkeep([]byte{ownSurplus}, outboxSize) // a busy outbox: later
		}
	}
}

// living is all connections that have not ended.
func (l *Links) living() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allConns()
}

// awake begins the watch of a connection: with a heartbeat, since the peer does the same
// and neither knows yet whether the other is there.
func (c *conn) awake() {
	now := time.Now()
	c.vigil.heard = now
	c.beat(now)
}

// listen looks whether something has come from the peer.
func (c *conn) listen(now time.Time, asleep bool, idle time.Duration) {
	v, info := &c.vigil, c.t.Info()
	v.remote = info.Remote
	if info.PacketsReceived != v.packets || asleep {
		v.packets, v.heard = info.PacketsReceived, now
	}
	if v.silent || now.Sub(v.heard) < idle {
		return
	}
	// Apart from the watch, which must not wait for a transport that closes slowly.
	v.silent = c.links.cfg.Tasks.Go("silence", func(context.Context) {
		c.end(transport.CloseSilent, fmt.Sprintf("nothing heard for %v", idle))
	})
}

// tellMoved tells of the peers that are seen elsewhere than before.
func (l *Links) tellMoved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.peers {
		if c := p.current; c != nil && !c.vigil.remote.IsZero() && c.vigil.remote != p.up.Remote {
			p.up.Remote = c.vigil.remote
			l.cfg.Observer.Moved(p.up)
		}
	}
}

// beat sends one heartbeat. A transport whose queue is full makes the sender wait, and a
// peer that acknowledges nothing can bring that about: so it happens apart from the
// watch, and one at a time.
func (c *conn) beat(now time.Time) {
	c.vigil.beaten = now
	if !c.beating.CompareAndSwap(false, true) {
		return
	}
	started := c.links.cfg.Tasks.Go("heartbeat", func(context.Context) {
		defer c.beating.Store(false)
		beat := make([]byte, heartbeatSize)
		beat[0], beat[1] = Version, datagramHeartbeat
		_ = c.t.SendDatagram(beat) // lost heartbeats are what heartbeats are for
	})
	if !started {
		c.beating.Store(false)
	}
}
