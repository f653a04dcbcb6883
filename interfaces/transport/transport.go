// Package transport is the contract of the slot that moves bytes between nodes. A
// transport opens connections to addresses and accepts connections from others; on
// each it carries ordered byte streams and small unordered datagrams.
//
// It does not know node names, keys or clusters: who stands at the other end is
// proved above it, by the handshake, over the first stream. What it contributes to
// that proof is Info.Binding, a value that both ends of one connection share and no
// other connection has (RFC 9266 for TLS), so that a proof cannot be relayed.
//
// Who calls it: the link block only. Start binds the socket; until Start returns
// Addresses is empty and Dial fails. Accept and Dial may be called from any number of
// goroutines. Dial blocks until the connection is usable or ctx ends. Stop closes every
// connection with CloseStopping first, so that peers learn it at once, and then the
// socket.
//
// What its absence means: a node without transport cannot start. A transport that
// is gone takes all links down; they are dialed again when it is back.
package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Contract is the version of this contract that plugins announce.
const Contract = "barrel.plugin.transport.v1"

// Env is what a transport is lent.
type Env = plugin.Env

// Factory makes transports.
type Factory = plugin.Factory[Plugin, Env]

// Plugin is a transport. All methods are safe for concurrent use.
type Plugin interface {
	plugin.Part
	// Dial opens a connection to addr. It blocks until the connection is usable or
	// ctx ends; nobody answering is ErrUnreachable. A peer that turns the connection
	// away may do so one round trip later: it shows on the first use.
	Dial(ctx context.Context, addr name.Address) (Conn, error)
	// Accept waits for the next connection from a peer. ErrClosed after Stop.
	Accept(ctx context.Context) (Conn, error)
	// Addresses is where peers can dial this node, the best one first; empty before
	// Start. It may change while running.
	Addresses() []name.Address
	// Liveness says how connections of this transport are watched.
	Liveness() Liveness
}

// Toward is a context for Dial that says which node is hoped for at the address, for
// transports on which the way depends on whom it leads to. It proves nothing.
func Toward(ctx context.Context, node name.Node) context.Context {
	return context.WithValue(ctx, towardKey{}, node)
}

// Wanted is the node that a context for Dial says is hoped for; zero if it says nothing.
func Wanted(ctx context.Context) name.Node {
	node, _ := ctx.Value(towardKey{}).(name.Node)
	return node
}

type towardKey struct{}

// Liveness is how often each end of a connection sends a heartbeat, and for how long a
// peer may be silent before the connection counts as lost. Both ends of a cluster
// should agree. Heartbeats are sent, and silence is judged, by the link block.
type Liveness struct {
	Heartbeat time.Duration // more than zero, at most a third of Idle
	Idle      time.Duration
}

// Conn is one connection. All methods are safe for concurrent use.
type Conn interface {
	// OpenStream opens a stream; the peer sees it with the first byte written to it,
	// or already to one that was opened later (RFC 9000 section 3.2). It blocks while
	// the peer allows no more streams.
	OpenStream(ctx context.Context) (Stream, error)
	// AcceptStream waits for the next stream that the peer opened. Nothing may have been
	// written to it yet.
	AcceptStream(ctx context.Context) (Stream, error)
	// SendDatagram sends at most MaxDatagram bytes, unordered, perhaps never to
	// arrive. It blocks while the queue of the transport is full, which it may be for as
	// long as the peer acknowledges nothing.
	SendDatagram(data []byte) error
	// ReceiveDatagram waits for the next datagram. A few wait for it; those that find
	// no room are lost, so that a connection is none the worse for datagrams that
	// nobody receives.
	ReceiveDatagram(ctx context.Context) ([]byte, error)
	// Close ends the connection at both ends with a code and a short reason (256 bytes
	// travel). What was written before and not read yet may be lost: what the peer
	// must learn goes into the reason. Idempotent: the first call decides.
	Close(code CloseCode, reason string) error
	// Context ends with the connection; context.Cause then says why: a *CloseError
	// whenever one side closed it, an error that wraps ErrSilent when the peer was
	// not heard any more.
	Context() context.Context
	// Info describes the connection as it is now.
	Info() Info
}

// Stream is one ordered byte stream within a connection, both ways. Reads and writes
// may happen at the same time, each from one goroutine at a time.
type Stream interface {
	Read(p []byte) (int, error)  // io.EOF after the peer's CloseWrite
	Write(p []byte) (int, error) // blocks under back-pressure
	// CloseWrite ends the sending side in good order.
	CloseWrite() error
	// Reset gives the stream up in both directions; pending reads and writes of both
	// ends return a *ResetError. Idempotent.
	Reset(code CloseCode)
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Migrator is the optional ability of a connection to go on from another local address,
// with all that is on its way. Only the end that dialed has it.
type Migrator interface {
	// Migrate moves the connection to a new local address once the path from there has
	// been proved; until then, and if that fails, the old one is used. The error is
	// ErrFixed if the connection can never move; after any other a later attempt may
	// succeed.
	Migrate(ctx context.Context) error
}

// Rover is the optional ability of a connection to notice that this machine has moved.
type Rover interface {
	// Astray reports that what is sent now leaves from another local address than it did
	// when the connection was made or last moved, or from one that this machine does not
	// have any more, so that it had better move, or be made anew by the end that cannot.
	// Cheap enough to ask twice a second.
	Astray() bool
}

// ErrFixed: the connection cannot move: this end accepted it, or the peer does not allow it.
var ErrFixed = errors.New("connection cannot migrate")

// ReadStopper is the optional ability of a stream to end its reading side alone.
type ReadStopper interface {
	// StopRead gives the reading side up: writes of the peer return a *ResetError with
	// the code. What this end has written is not touched. Idempotent.
	StopRead(code CloseCode)
}

// TryWriter is the optional ability of a stream to take bytes without a wait.
type TryWriter interface {
	// TryWrite takes all of p or nothing, and never blocks; false means that it would
	// have to wait. It may be called while a Write waits: then it takes nothing.
	TryWrite(p []byte) (bool, error)
}

// MaxDatagram is the largest datagram that every transport carries, in bytes.
const MaxDatagram = 1100

// UnreadStreams is how many streams of one connection, those that one end has opened and
// those of the other together, may each have as much unread as it can without holding up
// the rest. Blocks that let others decide when a stream is read keep within it, half of it
// for the streams of each end.
const UnreadStreams = 256

// Info describes a connection.
type Info struct {
	Local, Remote name.Address
	Dialed        bool     // this end dialed
	Binding       [32]byte // equal at both ends, different for every connection
	RTT           time.Duration
	BytesSent     uint64
	BytesReceived uint64
	// PacketsReceived grows with whatever arrives from the peer, acknowledgements
	// included; standing still means silence.
	PacketsReceived uint64
}

// CloseCode says why a connection or stream was ended; it travels to the other end.
type CloseCode uint32

// The close codes of the protocol.
const (
	CloseNone      CloseCode = 0
	CloseStopping  CloseCode = 1 // the node stops without having left
	CloseLeaving   CloseCode = 2 // the node leaves the cluster; not a failure
	CloseIdle      CloseCode = 3 // nobody used the link; not a failure
	CloseDuplicate CloseCode = 4 // another connection of the same pair won; not a failure
	CloseRefused   CloseCode = 5 // the handshake was refused; the reason says why
	CloseProtocol  CloseCode = 6 // the peer broke the protocol
	CloseSilent    CloseCode = 7 // nothing was heard for the idle time
	CloseBusy      CloseCode = 8 // too many connections or streams; try later
	CloseDropped   CloseCode = 9 // this node was told to let the peer go; not a failure

	// CloseRestarted: a later life of the peer is known. It is a node's own finding about its
	// end of a link; from a peer it counts as CloseProtocol.
	CloseRestarted CloseCode = 10
)

// String is the word for the code that logs and events use.
func (c CloseCode) String() string {
	words := [...]string{"none", "stopping", "leaving", "idle", "duplicate", "refused", "protocol", "silent", "busy", "dropped", "restarted"}
	if int(c) < len(words) {
		return words[c]
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Error kinds; test with errors.Is.
var (
	// ErrUnreachable: nobody answered at the address in time.
	ErrUnreachable = errors.New("nobody answers")
	// ErrClosed: this end is closed.
	ErrClosed = errors.New("transport closed")
	// ErrSilent: the peer was not heard for the idle time.
	ErrSilent = errors.New("peer went silent")
	// ErrTooLarge: a datagram larger than the connection carries.
	ErrTooLarge = errors.New("datagram too large")
)

// CloseError is how a connection ended when one side closed it.
type CloseError struct {
	Remote bool // the peer closed it
	Code   CloseCode
	Reason string
}

// Error is one line for logs.
func (e *CloseError) Error() string {
	side := "closed here"
	if e.Remote {
		side = "closed by the peer"
	}
	if e.Reason == "" {
		return side + ": " + e.Code.String()
	}
	return side + ": " + e.Code.String() + ": " + e.Reason
}

// ResetError is how a stream ended when one side gave it up.
type ResetError struct {
	Remote bool
	Code   CloseCode
}

// Error is one line for logs.
func (e *ResetError) Error() string {
	if e.Remote {
		return "stream reset by the peer: " + e.Code.String()
	}
	return "stream reset here: " + e.Code.String()
}

// CertificateRotator is the optional ability of a transport with a certificate of its
// own to replace it. It works on files only, so it may be called before Start; the
// certificate is used for new connections from then on.
type CertificateRotator interface {
	// RotateCertificate returns the folder that holds the previous one, "" if there
	// was none.
	RotateCertificate(ctx context.Context) (backup string, err error)
}
