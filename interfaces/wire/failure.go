package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// MaxMessage is how large a message may be, in bytes, in either direction.
const MaxMessage = 4 << 20

// maxText is how much of a text of the other side is kept, in bytes.
const maxText = 4 << 10

// ErrMalformed: the other side answered with something that is no answer.
var ErrMalformed = errors.New("malformed answer")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// failure is an error that came over the wire: its text and, for errors.Is, its kind.
type failure struct {
	text string
	kind error
}

// Error is the text of the other side.
func (f *failure) Error() string { return f.text }

// Unwrap is the kind, nil if it has none.
func (f *failure) Unwrap() error { return f.kind }

// kind is an error that means the same on both sides, and its number on the wire.
type kind struct {
	number pluginv1.Error_Kind
	err    error
}

func kinds() []kind {
	return []kind{
		{pluginv1.Error_NOT_FOUND, discovery.ErrNotFound},
		{pluginv1.Error_KEY_MISMATCH, trust.ErrKeyMismatch},
		{pluginv1.Error_UNTRUSTED, trust.ErrUntrusted},
		{pluginv1.Error_NO_LINK, membership.ErrNoLink},
		{pluginv1.Error_BUSY, membership.ErrBusy},
		{pluginv1.Error_TOO_LARGE, membership.ErrTooLarge},
		{pluginv1.Error_LEFT, membership.ErrLeft},
		{pluginv1.Error_SERVICE_NOT_FOUND, registry.ErrNotFound},
		{pluginv1.Error_NOT_OWNER, registry.ErrNotOwner},
		{pluginv1.Error_NOT_ALLOWED, registry.ErrNotAllowed},
		{pluginv1.Error_FULL, registry.ErrFull},
		{pluginv1.Error_META_TOO_LARGE, registry.ErrTooLarge},
		{pluginv1.Error_UNREACHABLE, transport.ErrUnreachable},
		{pluginv1.Error_TRANSPORT_CLOSED, transport.ErrClosed},
		{pluginv1.Error_SILENT, transport.ErrSilent},
		{pluginv1.Error_DATAGRAM_TOO_LARGE, transport.ErrTooLarge},
		{pluginv1.Error_FIXED, transport.ErrFixed},
		{pluginv1.Error_GONE, plugin.ErrGone},
		{pluginv1.Error_UNSUPPORTED, plugin.ErrUnsupported},
		{pluginv1.Error_TIMEOUT, context.DeadlineExceeded},
		{pluginv1.Error_CANCELLED, context.Canceled},
	}
}

// toWire is err as it travels; nil for nil.
func toWire(err error) *pluginv1.Error {
	if err == nil {
		return nil
	}
	out := &pluginv1.Error{Kind: pluginv1.Error_OTHER, Text: text(err.Error())}
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			out.Kind = k.number
			break
		}
	}
	return out
}

// fromWire is the error that came with an answer; nil if none did.
func fromWire(in *pluginv1.Error) error {
	if in == nil {
		return nil
	}
	out := &failure{text: text(in.GetText())}
	for _, k := range kinds() {
		if in.GetKind() == k.number {
			out.kind = k.err
		}
	}
	switch {
	case out.text != "":
	case out.kind != nil:
		out.text = out.kind.Error()
	default:
		out.text = "an error without a text"
	}
	return out
}

// called is the error of a call: that of the transport, or the one in its answer.
func called(ctx context.Context, err error, answer *pluginv1.Error) error {
	if err == nil {
		return fromWire(answer)
	}
	return fromStatus(ctx, err)
}

// fromStatus reads the status of a call that brought no answer. The caller's own
// context counts first: whoever did not wait is not told that the plugin is at fault.
func fromStatus(ctx context.Context, err error) error {
	s := status.Convert(err)
	if code := s.Code(); code == codes.Canceled || code == codes.DeadlineExceeded {
		awaitDeadline(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	out := &failure{text: text(s.Message())}
	switch s.Code() {
	case codes.Unavailable:
		out.kind = plugin.ErrGone
	case codes.Unimplemented:
		out.kind = plugin.ErrUnsupported
	case codes.DeadlineExceeded:
		out.kind = context.DeadlineExceeded
	case codes.Canceled:
		// Nobody here cancelled, so the connection did when it was closed.
		out.kind = plugin.ErrGone
	case codes.ResourceExhausted:
		out.kind = ErrMalformed
	}
	if out.text == "" {
		out.text = s.Code().String()
	}
	return out
}

// awaitDeadline waits for the deadline of ctx if it is about to pass: the other side
// knows it too and may be a moment faster.
func awaitDeadline(ctx context.Context) {
	deadline, ok := ctx.Deadline()
	if !ok || time.Until(deadline) > 100*time.Millisecond {
		return
	}
	<-ctx.Done()
}

// text is what the other side said as one line of bounded length, without anything
// that would move the cursor of a terminal.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	s = strings.ToValidUTF8(s, "�")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s))
}
