package transportquic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/interfaces/transport"
)

// maxReason bounds the reason of a close, in bytes, ours and the peer's.
const maxReason = 256

// bounded is a reason that is short and printable.
func bounded(reason string) string {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, reason)
}

// connError says in the words of the contract why a connection ended.
func connError(err error) error {
	if app, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return &transport.CloseError{Remote: app.Remote, Code: closeCode(uint64(app.ErrorCode)), Reason: bounded(app.ErrorMessage)}
	}
	if te, ok := errors.AsType[*quic.TransportError](err); ok {
		return protocolError(te)
	}
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return fmt.Errorf("the peer has restarted and knows nothing of this connection: %w", transport.ErrSilent)
	}
	if timedOut(err) {
		return fmt.Errorf("nothing was heard and no probe was answered: %w", transport.ErrSilent)
	}
	if errors.Is(err, quic.ErrTransportClosed) {
		return fmt.Errorf("%w: %w", transport.ErrClosed, err)
	}
	return fmt.Errorf("cannot send to the peer: %w: %w", err, transport.ErrSilent)
}

func timedOut(err error) bool {
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, handshake := errors.AsType[*quic.HandshakeTimeoutError](err)
	return idle || handshake
}

// A code that no CloseCode can hold was sent by something that is not a node.
func closeCode(code uint64) transport.CloseCode {
	if code > math.MaxUint32 {
		return transport.CloseProtocol
	}
	return transport.CloseCode(code)
}

// Alerts of TLS as QUIC carries them: 0x100 plus the alert (RFC 9001 section 4.8).
const (
	cryptoErrors          = 0x100
	badCertificate        = cryptoErrors + 42
	certificateRequired   = cryptoErrors + 116
	noApplicationProtocol = cryptoErrors + 120
)

// protocolError is an end that QUIC or TLS decided on, at one side or the other.
func protocolError(te *quic.TransportError) *transport.CloseError {
	e := &transport.CloseError{Remote: te.Remote, Code: transport.CloseProtocol, Reason: bounded(te.Error())}
	switch te.ErrorCode {
	case quic.ConnectionRefused:
		e.Code, e.Reason = transport.CloseBusy, "it takes no more connections now"
	case noApplicationProtocol:
		e.Reason = "it does not speak " + protocol
	case badCertificate, certificateRequired:
		e.Code, e.Reason = transport.CloseRefused, "the TLS certificate was refused"
	}
	return e
}

// streamError says in the words of the contract why a call on a stream failed.
func streamError(err error) error {
	if reset, ok := errors.AsType[*quic.StreamError](err); ok {
		return &transport.ResetError{Remote: reset.Remote, Code: closeCode(uint64(reset.ErrorCode))}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	if errors.Is(err, quic.ErrStreamClosed) {
		return fmt.Errorf("write after CloseWrite: %w", io.ErrClosedPipe)
	}
	return connError(err)
}

// callError is connError for calls that a context can end.
func callError(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return err
	}
	return connError(err)
}
