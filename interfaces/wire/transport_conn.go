package wire

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// The bounds on one connection, at the host.
const (
	maxUnaccepted  = 1024                  // streams of the peer that wait to be accepted
	maxPeerStreams = 4096                  // streams of the peer at once
	maxUnread      = 1 << 20               // bytes that wait for a plugin that does not read, without those that have credit
	maxDatagrams   = 32                    // that wait to be received
	maxSending     = 16                    // datagrams at once
	largestSent    = 65_000                // bytes of a datagram that travels at all
	closePatience  = 2 * time.Second       // for the plugin to close a connection
	infoAge        = 20 * time.Millisecond // of what Info says before it asks again
	maxCloseReason = 256
)

// transportConn is the host half of one connection: it reads frames and never waits for
// who uses it.
type transportConn struct {
	framer    *framer
	dialed    bool
	ctx       context.Context
	cancel    context.CancelCauseFunc
	accepts   chan *transportStream
	datagrams chan []byte
	sending   chan struct{}
	over      chan struct{} // closed when nothing of it runs any more

	mu      sync.Mutex
	info    transport.Info
	astray  bool
	asked   time.Time
	streams map[uint32]*transportStream
	peers   int                   // streams of the peer among them
	waiting map[uint32]chan error // for DONE
	next    uint32
}

var (
	_ transport.Conn  = (*transportConn)(nil)
	_ transport.Rover = (*transportConn)(nil)
)

// movingConn is one that can migrate.
type movingConn struct{ *transportConn }

var _ transport.Migrator = movingConn{}

func newTransportConn(f *framer, info transport.Info) *transportConn {
	c := &transportConn{
		framer: f, dialed: info.Dialed, info: info, over: make(chan struct{}),
		accepts: make(chan *transportStream, maxUnaccepted), datagrams: make(chan []byte, maxDatagrams), sending: make(chan struct{}, maxSending),
		streams: map[uint32]*transportStream{}, waiting: map[uint32]chan error{},
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// run reads frames until the connection is over.
func (c *transportConn) run() {
	defer close(c.over)
	err := c.framer.read(c.handle)
	if !errors.Is(err, ErrMalformed) {
		err = &failure{text: "the process of the transport is gone", kind: plugin.ErrGone}
	}
	c.end(err)
	c.framer.cut()
}

// end notes why the connection is over; the first cause decides.
func (c *transportConn) end(cause error) {
	c.cancel(cause)
	c.mu.Lock()
	streams := slices.Collect(maps.Values(c.streams))
	c.mu.Unlock()
	for _, s := range streams {
		s.wake()
	}
}

func (c *transportConn) cause() error { return context.Cause(c.ctx) }

// errOver ends the reading of a connection whose end has been read.
var errOver = errors.New("over")

func (c *transportConn) handle(f frame) error {
	if c.framer.control.Load() > maxUnread { // a plugin that works reads whatever it does
		return malformed("frames of a plugin that reads none")
	}
	switch f.kind {
	case transportv1.Kind_ACCEPTED:
		return c.accepted(f.stream)
	case transportv1.Kind_DATAGRAM:
		select {
		case c.datagrams <- bytes.Clone(f.payload):
		default: // nobody receives
		}
		return nil
	case transportv1.Kind_DONE:
		return c.answered(f)
	case transportv1.Kind_INFO:
		return c.informed(f)
	case transportv1.Kind_CLOSED:
		return c.closed(f)
	}
	c.mu.Lock()
	s := c.streams[f.stream]
	c.mu.Unlock()
	if s == nil {
		return nil // it was given up here and the plugin does not know yet
	}
	return s.handle(f)
}

func (c *transportConn) accepted(id uint32) error {
	c.mu.Lock()
	known, many := c.streams[id] != nil, c.peers >= maxPeerStreams
	c.mu.Unlock()
	switch {
	case id%2 == 0 || known:
		return malformed("a stream of the peer with the number %d", id)
	case many:
		return malformed("more than %d streams of the peer", maxPeerStreams)
	}
	s := c.newStream(id)
	select {
	case c.accepts <- s:
	default:
		s.Reset(transport.CloseBusy)
	}
	return nil
}

func (c *transportConn) answered(f frame) error {
	done := &transportv1.Done{}
	if err := f.into(done); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting := c.waiting[f.stream]; waiting != nil {
		delete(c.waiting, f.stream)
		waiting <- fromWire(done.GetError())
	}
	return nil
}

func (c *transportConn) informed(f frame) error {
	said := &transportv1.Info{}
	if err := f.into(said); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := infoFromWire(said, c.info)
	if err == nil {
		c.info, c.astray = info, said.GetAstray()
	}
	return err
}

func (c *transportConn) closed(f frame) error {
	said := &transportv1.End{}
	if err := f.into(said); err != nil {
		return err
	}
	c.end(endFromWire(said))
	return errOver
}

// request sends a frame that is answered by DONE, and waits for that.
func (c *transportConn) request(ctx context.Context, kind transportv1.Kind, id uint32, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	answer := make(chan error, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, id)
	}()
	if c.ctx.Err() != nil {
		return c.cause()
	}
	c.framer.send(kind, id, payload)
	select {
	case err := <-answer:
		if c.ctx.Err() != nil {
			return c.cause()
		}
		return err
	case <-c.ctx.Done():
		return c.cause()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// number is one that the host gives.
func (c *transportConn) number() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next += 2
	return c.next
}

// OpenStream asks the plugin for a stream.
func (c *transportConn) OpenStream(ctx context.Context) (transport.Stream, error) {
	s := c.newStream(c.number())
	if err := c.request(ctx, transportv1.Kind_OPEN, s.id, nil); err != nil {
		s.Reset(transport.CloseNone)
		return nil, err
	}
	return s, nil
}

// AcceptStream waits for the next stream of the peer.
func (c *transportConn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	return receive(ctx, c, c.accepts)
}

// ReceiveDatagram waits for the next datagram.
func (c *transportConn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	return receive(ctx, c, c.datagrams)
}

func receive[T any](ctx context.Context, c *transportConn, from <-chan T) (T, error) {
	var none T
	if c.ctx.Err() != nil {
		return none, c.cause()
	}
	select {
	case got := <-from:
		return got, nil
	case <-c.ctx.Done():
		return none, c.cause()
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// SendDatagram returns when the transport has taken the datagram.
func (c *transportConn) SendDatagram(data []byte) error {
	if len(data) > largestSent {
		return transport.ErrTooLarge
	}
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-c.ctx.Done():
		return c.cause()
	}
	return c.request(context.Background(), transportv1.Kind_DATAGRAM, c.number(), data)
}

// Close has the plugin close the connection, and waits for that within bounds.
func (c *transportConn) Close(code transport.CloseCode, reason string) error {
	patience, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	c.close(patience, code, reason)
	return nil
}

// close is Close that waits for the plugin until patience ends.
func (c *transportConn) close(patience context.Context, code transport.CloseCode, reason string) {
	mine := &transport.CloseError{Code: code, Reason: clipped(reason)}
	c.end(mine)
	if errors.Is(c.cause(), mine) {
		c.framer.say(transportv1.Kind_CLOSE, 0, &transportv1.End{Code: uint32(code), Reason: mine.Reason})
	}
	select {
	case <-c.over:
	case <-patience.Done():
		c.framer.cut()
		<-c.over
	}
}

// Context ends with the connection.
func (c *transportConn) Context() context.Context { return c.ctx }

// Info is what the plugin said last. It is asked again, and not waited for.
func (c *transportConn) Info() transport.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.askInfo()
	return c.info
}

// Astray is what the plugin said last, as Info is.
func (c *transportConn) Astray() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.askInfo()
	return c.astray
}

// askInfo asks unless that was just done. Called with the lock held.
func (c *transportConn) askInfo() {
	if now := time.Now(); now.Sub(c.asked) > infoAge {
		c.asked = now
		c.framer.send(transportv1.Kind_INFO, 0, nil)
	}
}

// Migrate has the plugin move the connection.
func (c movingConn) Migrate(ctx context.Context) error {
	return c.request(ctx, transportv1.Kind_MIGRATE, c.number(), nil)
}
