package sdk

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// newLogger writes lines that the host understands: one JSON object each, with @level,
// @message and @timestamp. A line that is logged with the context of a call, as
// log.InfoContext does, carries the name of that call, and so does the host's log.
func newLogger(to io.Writer) *slog.Logger {
	return slog.New(callHandler{slog.NewJSONHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: rename})})
}

func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "@timestamp"
	case slog.MessageKey:
		a.Key = "@message"
	case slog.LevelKey:
		return slog.String("@level", strings.ToLower(a.Value.String()))
	}
	return a
}

type callHandler struct{ slog.Handler }

// Handle adds the call.
func (h callHandler) Handle(ctx context.Context, r slog.Record) error {
	if call, ok := ctx.Value(callKey{}).(string); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("call", call))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the call.
func (h callHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the call.
func (h callHandler) WithGroup(name string) slog.Handler {
	return callHandler{h.Handler.WithGroup(name)}
}
