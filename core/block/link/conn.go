package link

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// conn is one authenticated connection to a peer.
type conn struct {
	links   *Links
	t       transport.Conn
	control transport.Stream
	peer    Peer
	dialed  bool
	epoch   uint64
	opened  time.Time

	out         outbox
	joined      chan struct{} // closed: the observer has heard of the peer
	gone        chan struct{} // closed: everything of this connection has ended
	used        atomic.Int64  // when the last byte other than upkeep passed, since opened
	wanted      atomic.Int64  // the same without what passes between neighbours
	inUse       atomic.Int32  // open streams that keep the link from being idle
	open        atomic.Int32  // all open streams, pooled ones too
	buried      atomic.Bool   // of a life of the peer that is over: nothing more is delivered
	peerDrained atomic.Bool   // the peer has no stream here any more and opens none
	beating     atomic.Bool   // a heartbeat is being sent
	farewell    atomic.Pointer[transport.CloseError]

	// Guarded by links.mu.
	moved     chan struct{} // closed: no new streams here
	retiring  bool          // another connection won
	retreated bool          // agreed to be closed as idle

	vigil vigil // the watch's

	pingMu sync.Mutex
	pings  map[uint64]chan struct{}
	pingID uint64
}

func newConn(l *Links, t transport.Conn, control transport.Stream, peer Peer, dialed bool, epoch uint64) *conn {
	c := &conn{
		links: l, t: t, control: control, peer: peer, dialed: dialed, epoch: epoch, opened: time.Now(),
		joined: make(chan struct{}), gone: make(chan struct{}), moved: make(chan struct{}),
	}
	c.out.write = func() bool { return c.start(c.writeControl) }
	c.touch()
	return c
}

// touch notes that the link was used for something other than its own upkeep.
func (c *conn) touch() {
	c.want()
	c.used.Store(c.wanted.Load())
}

// touchBy is touch by somebody who may talk to neighbours only. It is for the membership
// to say whether it needs a link for them, and it has other means to do so.
func (c *conn) touchBy(ofNeighbours bool) {
	if ofNeighbours {
		c.used.Store(int64(time.Since(c.opened)))
		return
	}
	c.touch()
}

// want notes that somebody is about to use the link.
func (c *conn) want() { c.wanted.Store(int64(time.Since(c.opened))) }

func (c *conn) lastWanted() time.Time { return c.opened.Add(time.Duration(c.wanted.Load())) }

func (c *conn) idle() time.Duration { return time.Since(c.opened) - time.Duration(c.used.Load()) }

// dialer is the node that dialed this connection.
func (c *conn) dialer() name.Node {
	if c.dialed {
		return c.links.cfg.Node
	}
	return c.peer.Node
}

// ended reports that the transport has given the connection up.
func (c *conn) ended() bool { return c.t.Context().Err() != nil }

// closing reports that the connection has ended or is about to.
func (c *conn) closing() bool {
	_, _, closed := c.out.state()
	return closed || c.farewell.Load() != nil || c.ended()
}

// send queues a frame and never blocks.
func (c *conn) send(channel Channel, body []byte) error {
	return c.out.add(encodeFrame(channel, body), outboxSize, true)
}

// upkeep queues a frame of the block's own.
func (c *conn) upkeep(body []byte, limit int) error {
	return c.out.add(encodeFrame(Own, body), limit, false)
}

// condemn says why the connection is to end; the first word decides.
func (c *conn) condemn(code transport.CloseCode, reason string) {
	c.farewell.CompareAndSwap(nil, &transport.CloseError{Code: code, Reason: reason})
}

// end closes the connection at once.
func (c *conn) end(code transport.CloseCode, reason string) {
	c.condemn(code, reason)
	_ = c.t.Close(code, printable(reason)) // the first close decides; a second has nothing to say
}

// close ends a connection that has been condemned.
func (c *conn) close() {
	if last := c.farewell.Load(); last != nil {
		c.end(last.Code, last.Reason)
	}
}

// endApart is end for who holds a lock or has others to see to: a transport may take its
// time to close. When the block has stopped, all connections are being closed anyway.
func (c *conn) endApart(code transport.CloseCode, reason string) {
	c.condemn(code, reason)
	c.links.cfg.Tasks.Go("close", func(context.Context) { c.close() })
}

// goodbye closes the connection after what was queued before has been read: the peer
// closes it when it has read the good-bye, and we do if it does not.
func (c *conn) goodbye(code transport.CloseCode, reason string) {
	c.condemn(code, reason)
	if c.out.last(encodeFrame(Own, goodbyeFrame(uint32(code), reason))) {
		_ = c.control.SetWriteDeadline(time.Now().Add(farewellWait)) // fails only where writes do
	}
}

// start makes a goroutine of the connection, which begins once it has joined.
func (c *conn) start(run func(context.Context)) bool {
	return c.links.cfg.Tasks.Go("link", func(ctx context.Context) {
		select {
		case <-c.joined:
		case <-ctx.Done():
		}
		run(ctx)
	})
}

// run starts the two goroutines that a connection always has. The first one sees to its
// end; without it there is no connection. A third writes while there is something to
// write.
func (c *conn) run() bool {
	if !c.start(c.readControl) {
		return false
	}
	if !c.start(c.acceptStreams) {
		c.end(transport.CloseStopping, "node stops")
	}
	return true
}

// controlBuffer is for a handful of usual frames; larger ones are read past it. Each
// connection has one for as long as it lives.
const controlBuffer = 1 << 10

// writeBuffer gathers the frames that wait, and is given back when they are written.
const writeBuffer = 4 << 10

// readControl delivers the control frames in order. It is the last to see the
// connection and reports its end.
func (c *conn) readControl(ctx context.Context) {
	defer c.finish()
	r := bufio.NewReaderSize(c.control, controlBuffer)
	for {
		channel, body, err := readFrame(r)
		if err == nil {
			err = c.deliver(channel, body)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, ErrFrame) {
			c.end(transport.CloseProtocol, err.Error())
		} else if !c.ended() {
			c.awaitEnd(ctx, err)
		}
		return
	}
}

// awaitEnd handles a control stream that ended before its connection: after a
// good-bye the connection follows soon, otherwise the peer broke the protocol.
func (c *conn) awaitEnd(ctx context.Context, err error) {
	timer := time.NewTimer(farewellWait)
	defer timer.Stop()
	select {
	case <-c.t.Context().Done():
	case <-ctx.Done():
	case <-timer.C:
		reason := "control stream ended"
		if !errors.Is(err, io.EOF) {
			reason += ": " + err.Error()
		}
		c.end(transport.CloseProtocol, reason)
	}
}

func (c *conn) deliver(channel Channel, body []byte) error {
	if channel == Own {
		return c.deliverOwn(body)
	}
	handle := c.links.frames[channel]
	if handle == nil || c.buried.Load() {
		return nil // a later version's channel, or a dead life's word
	}
	c.touchBy(channel.ofNeighbours())
	handle(c.peer, body)
	return nil
}

// writeControl writes the frames that are queued, and ends when nothing more waits.
func (c *conn) writeControl(ctx context.Context) {
	for {
		frames, last := c.out.take()
		if len(frames) == 0 && !last {
			return
		}
		if err := c.writeBatch(frames); err != nil {
			c.broken(err)
			return
		}
		if last {
			c.awaitClosed(ctx)
			return
		}
	}
}

// writeBatch writes frames in as few pieces as there are: one, mostly.
func (c *conn) writeBatch(frames [][]byte) error {
	if len(frames) == 1 {
		_, err := c.control.Write(frames[0])
		return err
	}
	w := bufio.NewWriterSize(c.control, writeBuffer)
	for _, frame := range frames {
		if _, err := w.Write(frame); err != nil {
			return err
		}
	}
	return w.Flush()
}

// broken ends a connection whose control stream cannot be written any more.
func (c *conn) broken(err error) {
	if last := c.farewell.Load(); last != nil {
		c.end(last.Code, last.Reason)
	} else if !c.ended() {
		c.end(transport.CloseProtocol, "control stream: "+err.Error())
	}
}

// farewellWait is how long a peer has to close a connection after a good-bye.
const farewellWait = time.Second

func (c *conn) awaitClosed(ctx context.Context) {
	timer := time.NewTimer(farewellWait)
	defer timer.Stop()
	select {
	case <-c.t.Context().Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	c.close()
}

// finish runs once, when the connection has ended for whatever reason.
func (c *conn) finish() {
	defer close(c.gone)
	c.end(transport.CloseNone, "") // if it has not been closed yet
	c.links.lost(c)
}

// said is the code of a close. What only this end can find out is not for the peer to say.
func said(e *transport.CloseError) transport.CloseCode {
	if e.Remote && e.Code == transport.CloseRestarted {
		return transport.CloseProtocol
	}
	return e.Code
}

// cause says why the connection ended: the code, and the same for people.
func (c *conn) cause() (transport.CloseCode, string) {
	if c.buried.Load() {
		return transport.CloseRestarted, "the node started again"
	}
	if last := c.farewell.Load(); last != nil && last.Code != transport.CloseNone {
		return said(last), printable(last.Reason)
	}
	err := context.Cause(c.t.Context())
	var closed *transport.CloseError
	switch {
	case errors.As(err, &closed):
		return said(closed), printable(closed.Reason)
	case errors.Is(err, transport.ErrSilent):
		return transport.CloseSilent, err.Error()
	case err == nil:
		return transport.CloseNone, "connection lost"
	}
	return transport.CloseNone, printable(err.Error())
}
