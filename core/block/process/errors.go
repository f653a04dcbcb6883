package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Errors of sends and calls, and reasons why processes end; test with errors.Is, also
// for what went wrong at the other node.
var (
	// ErrNoProcess: nobody has that reference or that name there, or not any more.
	ErrNoProcess = errors.New("no such process")
	// ErrNoConnection: the node cannot be reached, or the link was lost while an
	// answer was awaited; whether the message was handled is not known then.
	ErrNoConnection = errors.New("no connection")
	// ErrPanicked: the handler, or the process, panicked.
	ErrPanicked = errors.New("handler panicked")
	// ErrTooLarge: the payload exceeds what the node allows.
	ErrTooLarge = errors.New("payload too large")
	// ErrStopped: the node is stopping.
	ErrStopped = errors.New("node is stopping")
	// ErrTimeout: the deadline of the call passed at the other node.
	ErrTimeout = errors.New("call timed out")
	// ErrBusy: too much waits there: the mailbox is full and refuses, or answers are
	// not read as fast as they are asked for.
	ErrBusy = errors.New("too much waits")
	// ErrInDoubt: messages had been written when the link was lost; whether they have
	// arrived is not known.
	ErrInDoubt = errors.New("may have arrived or not")
	// ErrMalformed: bytes that are no frame of this protocol.
	ErrMalformed = errors.New("malformed message frame")
	// ErrUnknownType: the node does not know the type of the value, or it cannot travel.
	ErrUnknownType = errors.New("unknown type")
	// ErrBadPayload: the payload is not what the receiver takes.
	ErrBadPayload = errors.New("unexpected payload")
	// ErrKilled: the process was killed.
	ErrKilled = errors.New("killed")
	// ErrShutdown: the process was told to stop, by its owner or its supervisor.
	ErrShutdown = errors.New("shut down")
	// ErrDenied: the other node does not let this one do that.
	ErrDenied = errors.New("not allowed")
)

// MaxPayload is the largest payload of a message or answer, in bytes, that a node can
// be told to allow; DefaultMaxPayload is what it allows untold.
const (
	MaxPayload        = 256 << 20
	DefaultMaxPayload = 16 << 20
)

// RemoteError is an error that a handler returned, as its caller sees it: the text,
// where it comes from, and for errors.Is what it was.
type RemoteError struct {
	Node name.Node
	Text string

	kinds []error
}

// Error is the handler's text behind the name of its node.
func (e *RemoteError) Error() string { return fmt.Sprintf("%s: %s", e.Node, e.Text) }

// Unwrap lists the errors that the handler's error was, of those that both nodes know.
func (e *RemoteError) Unwrap() []error { return e.kinds }

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
	statusNoConnection
	statusUnknownType
	statusBadPayload
	statusKilled
	statusShutdown
	statusDenied
	statuses // how many there are
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
	case statusNoConnection:
		return ErrNoConnection
	case statusUnknownType:
		return ErrUnknownType
	case statusBadPayload:
		return ErrBadPayload
	case statusKilled:
		return ErrKilled
	case statusShutdown:
		return ErrShutdown
	case statusDenied:
		return ErrDenied
	}
	return nil
}

// statusOf is the status that tells about err.
func statusOf(err error) status {
	if err == nil {
		return statusOK
	}
	for s := statusNoProcess; s < statuses; s++ {
		if errors.Is(err, s.sentinel()) {
			return s
		}
	}
	return statusError
}

// fault is an error in the form in which it crosses the wire.
type fault struct {
	status status
	text   string
	kinds  []string // names of errors that both nodes may know
}

const (
	maxErrorText = 4 << 10
	maxKinds     = 8
)

// faultOf describes an error.
func (t *Types) faultOf(err error) fault {
	if err == nil {
		return fault{}
	}
	text := err.Error()
	return fault{status: statusOf(err), text: text[:min(len(text), maxErrorText)], kinds: t.kindsOf(err)}
}

func (t *Types) kindsOf(err error) (kinds []string) {
	for known, target := range wellKnown() {
		if errors.Is(err, target) {
			kinds = append(kinds, known)
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for known, target := range t.errs {
		if len(kinds) < maxKinds && errors.Is(err, target) {
			kinds = append(kinds, known)
		}
	}
	return kinds
}

// wellKnown are errors of the standard library that every node recognises.
func wellKnown() map[string]error {
	return map[string]error{
		"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "eof": io.EOF,
		"not exist": fs.ErrNotExist, "exist": fs.ErrExist, "permission": fs.ErrPermission, "unsupported": errors.ErrUnsupported,
	}
}

// read is the fault of a node as it is seen here; nil if there is none.
func (t *Types) read(f fault, node name.Node) error {
	if f.status == statusOK {
		return nil
	}
	var kinds []error
	known := wellKnown()
	t.mu.RLock()
	for _, kind := range f.kinds {
		if err := known[kind]; err != nil {
			kinds = append(kinds, err)
		} else if err := t.errs[kind]; err != nil {
			kinds = append(kinds, err)
		}
	}
	t.mu.RUnlock()
	if sentinel := f.status.sentinel(); sentinel != nil {
		return &kindError{text: node.String() + ": " + f.text, kind: sentinel, more: kinds}
	}
	return &RemoteError{Node: node, Text: f.text, kinds: kinds}
}

// kindError is an error from another node whose kind survived the wire.
type kindError struct {
	text string
	kind error
	more []error
}

func (e *kindError) Error() string   { return e.text }
func (e *kindError) Unwrap() []error { return append([]error{e.kind}, e.more...) }

// Is makes a deadline that passed elsewhere the same as one that passed here.
func (e *kindError) Is(target error) bool {
	return e.kind == ErrTimeout && target == context.DeadlineExceeded
}

// localError is what a handler of this node returned, as a caller of this node sees it:
// as from elsewhere, and still the error itself.
func localError(node name.Node, err error) error {
	if s := statusOf(err); s != statusError {
		return &kindError{text: node.String() + ": " + err.Error(), kind: s.sentinel(), more: []error{err}}
	}
	return &RemoteError{Node: node, Text: err.Error(), kinds: []error{err}}
}

// ReasonText is a reason in the words that people know: normal, killed, noproc,
// noconnection, shutdown, or the text of the error.
func ReasonText(reason error) string {
	switch statusOf(reason) {
	case statusOK:
		return "normal"
	case statusKilled:
		return "killed"
	case statusNoProcess:
		return "noproc"
	case statusNoConnection:
		return "noconnection"
	case statusShutdown:
		return "shutdown"
	}
	return reason.Error()
}
