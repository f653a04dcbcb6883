package process

import (
	"context"
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
	// ErrStopped: the node is stopping.
	ErrStopped = errors.New("node is stopping")
	// ErrTimeout: the deadline of the call passed at the other node.
	ErrTimeout = errors.New("call timed out")
	// ErrBusy: too much waits there: the process takes no messages, or answers are
	// not read as fast as they are asked for.
	ErrBusy = errors.New("too much waits")
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
	statusBusy
)

// sentinel pairs each status with its error; statusOK and statusError have none.
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
	case statusBusy:
		return ErrBusy
	}
	return nil
}

// statusOf is the status that tells a caller about err.
func statusOf(err error) status {
	for s := statusNoProcess; s <= statusBusy; s++ {
		if errors.Is(err, s.sentinel()) {
			return s
		}
	}
	return statusError
}

// answer is what came of a call, in the form in which it crosses the wire.
type answer struct {
	payload []byte
	status  status
	text    string // unless statusOK
}

const maxErrorText = 4 << 10

// failed is the answer that tells of an error.
func failed(err error) answer {
	text := err.Error()
	return answer{status: statusOf(err), text: text[:min(len(text), maxErrorText)]}
}

// read is the answer of a node as its caller sees it.
func (a answer) read(node name.Node) ([]byte, error) {
	if a.status == statusOK {
		return a.payload, nil
	}
	if kind := a.status.sentinel(); kind != nil {
		return nil, &kindError{text: node.String() + ": " + a.text, kind: kind}
	}
	return nil, &RemoteError{Node: node, Text: a.text}
}

// kindError is an error from another node whose kind survived the wire.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// Is makes a deadline that passed elsewhere the same as one that passed here.
func (e *kindError) Is(target error) bool {
	return e.kind == ErrTimeout && target == context.DeadlineExceeded
}
