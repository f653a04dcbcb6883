package link

import (
	"context"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// heartbeatSize is large enough that a restarted peer answers it with a stateless
// reset, which QUIC does only for packets that are not tiny.
const heartbeatSize = 40

const datagramHeartbeat = 1

// watch sends heartbeats and ends a connection on which nothing arrives for the idle
// time of the transport. A node that was itself asleep (stopped, suspended) gives its
// peers a full idle time from when it woke up: its own pause proves nothing of them.
func (c *conn) watch(ctx context.Context) {
	limits := c.links.cfg.Transport.Liveness()
	beat := make([]byte, heartbeatSize)
	beat[0], beat[1] = Version, datagramHeartbeat
	tick := max(limits.Heartbeat/4, time.Millisecond)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var packets uint64
	heard, last, beaten := time.Now(), time.Now(), time.Time{}
	for {
		now := time.Now()
		if seen := c.t.Info().PacketsReceived; seen != packets || now.Sub(last) > limits.Heartbeat*2 {
			packets, heard = seen, now
		}
		if now.Sub(heard) >= limits.Idle {
			c.end(transport.CloseSilent, fmt.Sprintf("nothing heard for %v", limits.Idle))
			return
		}
		if now.Sub(beaten) >= limits.Heartbeat-tick/2 {
			_ = c.t.SendDatagram(beat) // lost heartbeats are what heartbeats are for
			beaten = now
		}
		last = now
		select {
		case <-ticker.C:
		case <-c.t.Context().Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// readDatagrams keeps the queue of the transport empty. Heartbeats need no handling:
// that they arrive is seen in the packet counter.
func (c *conn) readDatagrams(context.Context) {
	for {
		if _, err := c.t.ReceiveDatagram(c.t.Context()); err != nil {
			return
		}
	}
}
