package transportmemory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

const (
	maxStreams   = 1024 // that one end has open at a time
	maxDatagrams = 128  // that wait to be received
	maxReason    = 256  // bytes
)

var _ transport.Conn = (*end)(nil)

// end is one end of a connection. The fields from closed on are guarded by the lock of
// the wire.
type end struct {
	wire      *wire
	life      *life
	peer      *end
	slots     chan struct{} // one for each stream that this end opened
	accepts   chan *stream
	datagrams chan []byte
	ctx       context.Context
	cancel    context.CancelCauseFunc

	closed         bool
	sent, received uint64 // bytes
	packets        uint64
}

func newEnd(w *wire, l *life) *end {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &end{
		wire: w, life: l, ctx: ctx, cancel: cancel,
		slots:     make(chan struct{}, maxStreams),
		accepts:   make(chan *stream, maxStreams),
		datagrams: make(chan []byte, maxDatagrams),
	}
}

// OpenStream opens a stream; the peer sees it with the first byte.
func (e *end) OpenStream(ctx context.Context) (transport.Stream, error) {
	if err := e.ended(ctx); err != nil {
		return nil, err
	}
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ctx.Done():
		return nil, context.Cause(e.ctx)
	}
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if e.closed {
		return nil, context.Cause(e.ctx)
	}
	return newStream(e), nil
}

func (e *end) ended(ctx context.Context) error {
	if e.ctx.Err() != nil {
		return context.Cause(e.ctx)
	}
	return ctx.Err()
}

// AcceptStream waits for a stream that the peer opened.
func (e *end) AcceptStream(ctx context.Context) (transport.Stream, error) {
	if err := e.ended(ctx); err != nil {
		return nil, err
	}
	select {
	case s := <-e.accepts:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ctx.Done():
		return nil, context.Cause(e.ctx)
	}
}

// SendDatagram sends a datagram; it is lost if the peer does not receive quickly
// enough.
func (e *end) SendDatagram(data []byte) error {
	if len(data) > transport.MaxDatagram {
		return fmt.Errorf("datagram of %d bytes: at most %d: %w", len(data), transport.MaxDatagram, transport.ErrTooLarge)
	}
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if e.closed {
		return context.Cause(e.ctx)
	}
	if e.wire.severed {
		return nil
	}
	e.wire.deliver(e, len(data), func() {
		select {
		case e.peer.datagrams <- slices.Clone(data):
		default:
		}
	})
	return nil
}

// ReceiveDatagram waits for a datagram.
func (e *end) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	if err := e.ended(ctx); err != nil {
		return nil, err
	}
	select {
	case data := <-e.datagrams:
		return data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ctx.Done():
		return nil, context.Cause(e.ctx)
	}
}

// Close ends the connection at both ends.
func (e *end) Close(code transport.CloseCode, reason string) error {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	e.wire.mu.Lock()
	if !e.closed {
		e.shut(&transport.CloseError{Code: code, Reason: reason})
		e.wire.deliver(e, len(reason), func() {
			e.peer.shut(&transport.CloseError{Remote: true, Code: code, Reason: reason})
		})
	}
	e.wire.mu.Unlock()
	e.wire.settle()
	return nil
}

// shut ends this end. Called with the lock of the wire held.
func (e *end) shut(cause error) {
	if e.closed {
		return
	}
	e.closed = true
	e.cancel(cause)
	for s := range e.wire.streams {
		if s.end == e {
			s.fail(cause)
		}
	}
}

// Context ends with the connection.
func (e *end) Context() context.Context { return e.ctx }

// Info describes the connection; its round-trip time is zero.
func (e *end) Info() transport.Info {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	return transport.Info{
		Local: e.life.address, Remote: e.peer.life.address,
		Dialed:          e == e.wire.ends[0],
		Binding:         e.wire.binding,
		BytesSent:       e.sent,
		BytesReceived:   e.received,
		PacketsReceived: e.packets,
	}
}
