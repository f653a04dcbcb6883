package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// tooLate is the text of a timeout of which nothing more is known.
const tooLate = "no answer in the time given: allow more, or see barrel doctor"

// errorDocument is the body of every answer that is not a success.
type errorDocument struct {
	Error *Error `json:"error"`
}

// statusOf is the HTTP status that stands for a kind.
func statusOf(kind Kind) int {
	switch kind {
	case KindUsage:
		return http.StatusBadRequest
	case KindNoNode:
		return http.StatusServiceUnavailable
	case KindTimeout:
		return http.StatusGatewayTimeout
	case KindRefused:
		return http.StatusForbidden
	case KindNotFound:
		return http.StatusNotFound
	case KindFailed:
	}
	return http.StatusInternalServerError
}

// asError gives any error a kind. A typed error keeps the text that wraps it.
func asError(err error) *Error {
	var typed *Error
	switch {
	case errors.As(err, &typed):
		return &Error{Kind: typed.Kind, Text: err.Error()}
	case err == context.DeadlineExceeded: //nolint:errorlint // bare: nothing says more
		return &Error{Kind: KindTimeout, Text: tooLate}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Text: err.Error()}
	case errors.Is(err, name.ErrInvalid):
		return &Error{Kind: KindUsage, Text: err.Error()}
	}
	return &Error{Kind: KindFailed, Text: err.Error()}
}

// statusError is an error with an HTTP status of its own.
type statusError struct {
	status int
	err    *Error
}

func (e *statusError) Error() string { return e.err.Text }
func (e *statusError) Unwrap() error { return e.err }

func writeError(w http.ResponseWriter, err error) {
	shown := asError(err)
	status := statusOf(shown.Kind)
	var own *statusError
	if errors.As(err, &own) {
		status = own.status
	}
	writeJSON(w, status, errorDocument{Error: shown})
}

// writeJSON writes one document. An error of writing means that the reader has gone,
// and nobody is left to be told.
func writeJSON(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status = http.StatusInternalServerError
		body = []byte(`{"error":{"kind":"failed","text":"the answer cannot be written as JSON: see the log of the node"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// list makes an empty list of none, so that JSON says [] and not null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// KindOf is the kind of any error: that of the *Error it wraps, or the nearest one; ""
// for no error.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return asError(err).Kind
}
