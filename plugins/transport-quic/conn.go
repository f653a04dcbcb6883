package transportquic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

var (
	_ transport.Conn     = (*conn)(nil)
	_ transport.Migrator = (*conn)(nil)
	_ transport.Rover    = (*conn)(nil)
	_ transport.Stream   = (*stream)(nil)

	_ transport.ReadStopper = (*stream)(nil)
	_ transport.TryWriter   = (*stream)(nil)
)

// conn is a QUIC connection in the words of the contract.
type conn struct {
	life *life
	// The addresses of a connection that was dialed are kept here: quic-go must not be
	// asked while it may move. Those of one that was accepted follow the peer.
	at        atomic.Pointer[position]
	target    target
	far       net.Addr // where QUIC believes that it sends to
	quic      *quic.Conn
	dialed    bool
	tunnelled bool          // on a tunnel of its own from the start, and always
	moving    chan struct{} // has room for the one move under way
	way       way
	binding   [32]byte
	ctx       context.Context
	cancel    context.CancelCauseFunc
}

// target is what was dialed.
type target struct {
	node name.Node // that is hoped for there; zero if nobody said
	addr name.Address
}

// position is where a connection that was dialed runs.
type position struct {
	local, remote name.Address
	private       bool // on a packet connection of a Path
}

// newConn wraps a connection whose handshake is complete. Without a binding there is
// no proof of who is there, so the connection is of no use and is closed.
func newConn(qc *quic.Conn, to target, tunnelled bool) (*conn, error) {
	state := qc.ConnectionState()
	material, err := state.TLS.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32) // RFC 9266
	if err != nil {
		_ = qc.CloseWithError(quic.ApplicationErrorCode(transport.CloseProtocol), "no channel binding") // returns nil
		return nil, fmt.Errorf("channel binding: %w", err)
	}
	c := &conn{quic: qc, target: to, dialed: !to.addr.IsZero(), tunnelled: tunnelled, binding: [32]byte(material), moving: make(chan struct{}, 1)}
	if c.dialed {
		c.far = qc.RemoteAddr()
		c.at.Store(&position{local: name.AddressFrom(addrPort(qc.LocalAddr())), remote: name.AddressFrom(addrPort(c.far)), private: tunnelled})
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	context.AfterFunc(qc.Context(), c.ended)
	return c, nil
}

func (c *conn) ended() { c.cancel(connError(context.Cause(c.quic.Context()))) }

// OpenStream opens a stream.
func (c *conn) OpenStream(ctx context.Context) (transport.Stream, error) {
	s, err := c.quic.OpenStreamSync(ctx)
	if err != nil {
		return nil, callError(ctx, err)
	}
	return &stream{quic: s}, nil
}

// AcceptStream waits for a stream of the peer.
func (c *conn) AcceptStream(ctx context.Context) (transport.Stream, error) {
	s, err := c.quic.AcceptStream(ctx)
	if err != nil {
		return nil, callError(ctx, err)
	}
	return &stream{quic: s}, nil
}

// SendDatagram sends a datagram.
func (c *conn) SendDatagram(data []byte) error {
	err := c.quic.SendDatagram(data)
	if err == nil {
		return nil
	}
	if large, ok := errors.AsType[*quic.DatagramTooLargeError](err); ok {
		return fmt.Errorf("datagram of %d bytes: at most %d: %w", len(data), large.MaxDatagramPayloadSize, transport.ErrTooLarge)
	}
	return connError(err)
}

// ReceiveDatagram waits for a datagram.
func (c *conn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	data, err := c.quic.ReceiveDatagram(ctx)
	if err != nil {
		return nil, callError(ctx, err)
	}
	return data, nil
}

// Close ends the connection and returns when the peer has been told.
func (c *conn) Close(code transport.CloseCode, reason string) error {
	err := c.quic.CloseWithError(quic.ApplicationErrorCode(code), bounded(reason))
	c.ended()
	return err
}

// Context ends with the connection.
func (c *conn) Context() context.Context { return c.ctx }

// Info describes the connection.
func (c *conn) Info() transport.Info {
	stats := c.quic.ConnectionStats()
	local, remote := c.addresses()
	return transport.Info{
		Local:           local,
		Remote:          remote,
		Dialed:          c.dialed,
		Binding:         c.binding,
		RTT:             stats.SmoothedRTT,
		BytesSent:       stats.BytesSent,
		BytesReceived:   stats.BytesReceived,
		PacketsReceived: stats.PacketsReceived,
	}
}

func (c *conn) addresses() (local, remote name.Address) {
	if c.dialed {
		at := c.at.Load()
		return c.way.leaves(at.local), at.remote
	}
	return name.AddressFrom(addrPort(c.quic.LocalAddr())), name.AddressFrom(addrPort(c.quic.RemoteAddr()))
}

// stream is a QUIC stream in the words of the contract.
type stream struct{ quic *quic.Stream }

// Read reads.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.quic.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = streamError(err)
	}
	return n, err
}

// Write writes; it blocks while the peer gives no window.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.quic.Write(p)
	if err != nil {
		err = streamError(err)
	}
	return n, err
}

// TryWrite takes all of p if it can be queued at once.
func (s *stream) TryWrite(p []byte) (bool, error) {
	err := s.quic.TryWriteAll(p)
	if errors.Is(err, quic.ErrWouldBlock) {
		return false, nil
	}
	if err != nil {
		return false, streamError(err)
	}
	return true, nil
}

// CloseWrite ends the sending side.
func (s *stream) CloseWrite() error {
	if err := s.quic.Close(); err != nil {
		return fmt.Errorf("closing a stream: %w", err)
	}
	return nil
}

// Reset gives the stream up.
func (s *stream) Reset(code transport.CloseCode) {
	s.quic.CancelRead(quic.StreamErrorCode(code))
	s.quic.CancelWrite(quic.StreamErrorCode(code))
}

// StopRead gives the reading side up.
func (s *stream) StopRead(code transport.CloseCode) { s.quic.CancelRead(quic.StreamErrorCode(code)) }

// SetReadDeadline bounds reads.
func (s *stream) SetReadDeadline(t time.Time) error { return s.quic.SetReadDeadline(t) }

// SetWriteDeadline bounds writes.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.quic.SetWriteDeadline(t) }
