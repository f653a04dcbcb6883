package link

import (
	"context"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Times for giving up a connection that another one has replaced.
const (
	handOverTime = 2 * time.Second  // for frames sent over it to be read
	drainTime    = 40 * time.Second // for its pooled streams to be read to their end
	drainStep    = 100 * time.Millisecond
)

// replace takes loser out of use in favour of winner. Callers hold l.mu.
func (l *Links) replace(loser, winner *conn) {
	l.peers[loser.peer.Node].leave(loser)
	loser.retiring, loser.retreated = true, false
	_, used, _ := loser.out.state()
	if used {
		winner.out.hold()
	}
	started := l.cfg.Tasks.Go("retire", func(ctx context.Context) { l.retire(ctx, loser, winner, used) })
	if !started && used {
		winner.out.release()
	}
}

// retire closes a connection that lost, in good order: nothing that was sent over it
// is lost or overtaken. Its dialer closes it, once the winner has carried a round trip
// and both ends have drained; the other end steps in if that does not happen.
func (l *Links) retire(ctx context.Context, c, winner *conn, held bool) {
	if held {
		c.handOver(ctx)
		winner.out.release()
	}
	if !c.dialed || winner.proven(ctx, c) {
		l.drain(ctx, c)
	}
}

// handOver returns when the peer has read all frames that were sent over c.
func (c *conn) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	_, _ = c.ping(ctx, outboxSize+upkeepRoom, true) // time is up or c has ended: order is not to be had
}

// proven waits until c has carried a round trip; false if one of the two ends before.
func (c *conn) proven(ctx context.Context, loser *conn) bool {
	for ctx.Err() == nil && !c.ended() && !loser.ended() {
		once, cancel := context.WithTimeout(ctx, handOverTime)
		_, err := c.ping(once, outboxSize+upkeepRoom, false)
		cancel()
		if err == nil {
			return true
		}
		pause(ctx, drainStep)
	}
	return false
}

// drain closes c once neither end has a stream on it any more. Streams in use are
// waited for as long as they last, pooled ones for a bounded time.
func (l *Links) drain(ctx context.Context, c *conn) {
	deadline := time.Now().Add(drainTime)
	if !c.dialed {
		deadline = deadline.Add(drainTime)
	}
	told := false
	for pause(ctx, drainStep) && !c.ended() && l.isRetiring(c) {
		if !told && c.drained() {
			told = c.upkeep([]byte{ownDrained}, outboxSize+upkeepRoom) == nil
		}
		both := told && c.dialed && c.peerDrained.Load()
		if both || c.inUse.Load() == 0 && time.Now().After(deadline) {
			c.goodbye(transport.CloseDuplicate, "another connection of the pair is used")
			return
		}
	}
}

func (c *conn) drained() bool {
	empty, _, _ := c.out.state()
	return empty && c.open.Load() == 0
}

func (l *Links) isRetiring(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.retiring
}
