package core

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The bound on what one part may log: strangers decide how often some lines come.
const (
	logBurst = 100
	logEvery = time.Second / 5
)

// limited bounds what is logged. What is left out is counted, and told with the next
// line that is not.
func limited(log *slog.Logger) *slog.Logger {
	return slog.New(&limitedHandler{Handler: log.Handler(), bound: &bound{limit: rate.NewLimiter(rate.Every(logEvery), logBurst)}})
}

type bound struct {
	limit      *rate.Limiter
	suppressed atomic.Uint64
}

type limitedHandler struct {
	slog.Handler
	bound *bound // shared by all that come of one logger
}

// Handle passes a record on while there is room for it.
func (h *limitedHandler) Handle(ctx context.Context, r slog.Record) error {
	if !h.bound.limit.Allow() {
		h.bound.suppressed.Add(1)
		return nil
	}
	if n := h.bound.suppressed.Swap(0); n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Uint64("suppressed", n))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the bound.
func (h *limitedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limitedHandler{Handler: h.Handler.WithAttrs(attrs), bound: h.bound}
}

// WithGroup keeps the bound.
func (h *limitedHandler) WithGroup(name string) slog.Handler {
	return &limitedHandler{Handler: h.Handler.WithGroup(name), bound: h.bound}
}
