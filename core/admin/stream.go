package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	typeLines  = "application/x-ndjson" // one JSON document a line
	typeEvents = "text/event-stream"
)

// stream writes documents one by one as they come, from one goroutine at a time.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	frame   func(kind string, document []byte) []byte
	started bool
}

func newStream(w http.ResponseWriter, frame func(string, []byte) []byte) *stream {
	return &stream{w: w, control: http.NewResponseController(w), frame: frame}
}

// start sends the headers, so that the reader knows that it is connected.
func (s *stream) start(contentType string) error {
	s.started = true
	s.w.Header().Set("Content-Type", contentType)
	s.w.Header().Set("Cache-Control", "no-store")
	s.w.WriteHeader(http.StatusOK)
	return s.control.Flush()
}

// write blocks while the reader does not read; the node that feeds it is told by a
// gap what it missed.
func (s *stream) write(kind string, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	if _, err := s.w.Write(s.frame(kind, body)); err != nil {
		return err
	}
	return s.control.Flush()
}

// cutWith ends a write that blocks when ctx ends: a reader that does not read must
// not keep the server from stopping.
func cutWith(ctx context.Context, control *http.ResponseController) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = control.SetWriteDeadline(time.Now().Add(stopGrace)) })
}

func lineFrame(_ string, document []byte) []byte { return append(document, '\n') }

// eventFrame is the text/event-stream form; JSON has no line breaks of its own.
func eventFrame(kind string, document []byte) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, document)
}

// events serves GET /v1/events until the reader goes or the node stops.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	kinds := q.words("kinds")
	q.checkKinds(kinds)
	initial := q.flag("initial")
	if err := q.done(); err != nil {
		writeError(w, err)
		return
	}
	frame, contentType := eventFrame, typeEvents
	if strings.Contains(r.Header.Get("Accept"), typeLines) {
		frame, contentType = lineFrame, typeLines
	}
	out := newStream(w, frame)
	started := func() error { return out.start(contentType) }
	err := s.node.Events(r.Context(), Watch{Kinds: kinds, Initial: initial}, started, func(e Event) error { return out.write(e.Kind, e) })
	switch {
	case err == nil || r.Context().Err() != nil:
	case out.started:
		_ = out.write("error", errorDocument{Error: asError(err)})
	default:
		writeError(w, err)
	}
}

func (q *query) checkKinds(kinds []string) {
	for _, kind := range kinds {
		if known := EventKinds(); !slices.Contains(known, kind) {
			q.wrong("parameter kinds: %q is no kind of event: use %s", clip(kind), strings.Join(known, ", "))
		}
	}
}
