package process

import (
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Errors of sends and calls; test with errors.Is, also for what went wrong at the
// other node.
var (
	// ErrNoProcess: nobody has that reference or that name there, or not any more.
	ErrNoProcess = errors.New("no such process")
	// ErrNoConnection: the node cannot be reached, or the link was lost while an
	// answer was awaited; whether the message was handled is not known then.
	ErrNoConnection = errors.New("no connection")
	// ErrPanicked: the handler panicked.
	ErrPanicked = errors.New("handler panicked")
	// ErrTooLarge: the payload exceeds MaxPayload.
	ErrTooLarge = errors.New("payload too large")
	// ErrStopped: this node is stopping.
	ErrStopped = errors.New("node is stopping")
	// ErrTimeout: the deadline of the call passed at the other node.
	ErrTimeout = errors.New("call timed out")
	// ErrMalformed: bytes that are no frame of this protocol.
	ErrMalformed = errors.New("malformed message frame")
)

// MaxPayload is the largest payload of a message or answer, in bytes.
const MaxPayload = 16 << 20

// RemoteError is an error that a handler returned, as its caller sees it: the text
// and where it comes from.
type RemoteError struct {
	Node name.Node
	Text string
}

// Error is the handler's text behind the name of its node.
func (e *RemoteError) Error() string { return fmt.Sprintf("%s: %s", e.Node, e.Text) }

// status is the kind of an answer on the wire.
type status uint8

const (
	statusOK status = iota
	statusError
	statusNoProcess
	statusPanicked
	statusTooLarge
	statusStopped
	statusTimeout
)

// sentinels pairs each status with its error; statusOK and statusError have none.
func (s status) sentinel() error {
	switch s {
	case statusNoProcess:
		return ErrNoProcess
	case statusPanicked:
		return ErrPanicked
	case statusTooLarge:
		return ErrTooLarge
	case statusStopped:
		return ErrStopped
	case statusTimeout:
		return ErrTimeout
	}
	return nil
}

// statusOf is the status that tells a caller about err.
func statusOf(err error) status {
	for _, s := range []status{statusNoProcess, statusPanicked, statusTooLarge, statusStopped, statusTimeout} {
		if errors.Is(err, s.sentinel()) {
			return s
		}
	}
	return statusError
}

// remote is the error that an answer from node stands for.
func remote(node name.Node, s status, text string) error {
	if kind := s.sentinel(); kind != nil {
		return &kindError{text: node.String() + ": " + text, kind: kind}
	}
	return &RemoteError{Node: node, Text: text}
}

// kindError is an error from another node whose kind survived the wire.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }
