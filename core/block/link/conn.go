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

// outbox is how many control frames may wait on one connection.
const outbox = 256

// conn is one authenticated connection to a peer.
type conn struct {
	links   *Links
	t       transport.Conn
	control transport.Stream
	peer    Peer
	dialed  bool
	epoch   uint64
	opened  time.Time

	out      chan []byte   // encoded control frames
	bye      chan []byte   // the good-bye frame, at most one
	draining chan struct{} // closed: no new streams here, another connection won
	gone     chan struct{} // closed: everything of this connection has ended
	drain    sync.Once
	used     atomic.Int64 // unix nanoseconds of the last application byte
	inUse    atomic.Int32 // open streams that keep the link from being idle
	open     atomic.Int32 // all open streams, pooled ones too
	buried   atomic.Bool  // of an earlier life of the peer: nothing more is delivered
	farewell atomic.Pointer[transport.CloseError]

	pingMu sync.Mutex
	pings  map[uint64]chan struct{}
	pingID uint64
}

func newConn(l *Links, t transport.Conn, control transport.Stream, peer Peer, dialed bool, epoch uint64) *conn {
	c := &conn{
		links: l, t: t, control: control, peer: peer, dialed: dialed, epoch: epoch, opened: time.Now(),
		out: make(chan []byte, outbox), bye: make(chan []byte, 1),
		draining: make(chan struct{}), gone: make(chan struct{}),
		pings: map[uint64]chan struct{}{},
	}
	c.touch()
	return c
}

// touch notes that the link was used for something other than its own upkeep.
func (c *conn) touch() { c.used.Store(time.Now().UnixNano()) }

func (c *conn) idle() time.Duration { return time.Since(time.Unix(0, c.used.Load())) }

// dialer is the node that dialed this connection.
func (c *conn) dialer() name.Node {
	if c.dialed {
		return c.links.cfg.Node
	}
	return c.peer.Node
}

// send queues an encoded frame and never blocks.
func (c *conn) send(channel Channel, body []byte) error {
	select {
	case c.out <- appendFrame(nil, channel, body):
		return nil
	default:
		return ErrBusy
	}
}

// end closes the connection at once.
func (c *conn) end(code transport.CloseCode, reason string) {
	c.farewell.CompareAndSwap(nil, &transport.CloseError{Code: code, Reason: reason})
	_ = c.t.Close(code, reason) // the first close decides; a second has nothing to say
}

// goodbye closes the connection after what was queued before has been read: the peer
// closes it when it has read the good-bye, and we do if it does not.
func (c *conn) goodbye(code transport.CloseCode, reason string) {
	c.farewell.CompareAndSwap(nil, &transport.CloseError{Code: code, Reason: reason})
	select {
	case c.bye <- appendFrame(nil, Own, goodbyeFrame(uint32(code), reason)):
	default: // said already
	}
}

// run starts the goroutines of the connection.
func (c *conn) run() {
	tasks := c.links.cfg.Tasks
	started := tasks.Go("link", c.readControl) && tasks.Go("link", c.writeControl) &&
		tasks.Go("link", c.acceptStreams) && tasks.Go("link", c.watch) && tasks.Go("link", c.readDatagrams)
	if !started {
		c.end(transport.CloseStopping, "node stops")
	}
}

// readControl delivers the control frames in order. It is the last to see the
// connection and reports its end.
func (c *conn) readControl(ctx context.Context) {
	defer c.finish()
	r := bufio.NewReaderSize(c.control, 16<<10)
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
		} else if c.t.Context().Err() == nil {
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
	c.touch()
	handle(c.peer, body)
	return nil
}

// writeControl writes queued frames in batches: it flushes when nothing more waits.
func (c *conn) writeControl(ctx context.Context) {
	w := bufio.NewWriterSize(c.control, 16<<10)
	for {
		select {
		case frame := <-c.out:
			if !c.writeBatch(w, frame) {
				return
			}
		case frame := <-c.bye:
			c.writeLast(ctx, w, frame)
			return
		case <-c.t.Context().Done():
			return
		}
	}
}

func (c *conn) writeBatch(w *bufio.Writer, frame []byte) bool {
	for {
		if _, err := w.Write(frame); err != nil {
			return false // the connection ends; readControl reports it
		}
		select {
		case frame = <-c.out:
		default:
			return w.Flush() == nil
		}
	}
}

// farewellWait is how long a peer has to close a connection after a good-bye.
const farewellWait = time.Second

func (c *conn) writeLast(ctx context.Context, w *bufio.Writer, frame []byte) {
	for len(c.out) > 0 {
		if _, err := w.Write(<-c.out); err != nil {
			return
		}
	}
	_, err := w.Write(frame)
	if err == nil && w.Flush() == nil {
		timer := time.NewTimer(farewellWait)
		defer timer.Stop()
		select {
		case <-c.t.Context().Done():
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	last := c.farewell.Load()
	c.end(last.Code, last.Reason)
}

// finish runs once, when the connection has ended for whatever reason.
func (c *conn) finish() {
	c.end(transport.CloseNone, "") // if it has not been closed yet
	c.links.lost(c)
	close(c.gone)
}

// cause says why the connection ended: the code, and the same for people.
func (c *conn) cause() (transport.CloseCode, string) {
	if last := c.farewell.Load(); last != nil && last.Code != transport.CloseNone {
		return last.Code, last.Reason
	}
	err := context.Cause(c.t.Context())
	var closed *transport.CloseError
	switch {
	case errors.As(err, &closed):
		return closed.Code, closed.Reason
	case errors.Is(err, transport.ErrSilent):
		return transport.CloseSilent, err.Error()
	case err == nil:
		return transport.CloseNone, "connection lost"
	}
	return transport.CloseNone, err.Error()
}
