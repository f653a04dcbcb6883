package link

import (
	"errors"
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Errors of the block; test with errors.Is. They are those of the membership
// contract, whose Network this block implements.
var (
	ErrNoLink = membership.ErrNoLink
	ErrBusy   = membership.ErrBusy
	// ErrSelf: a node does not link to itself.
	ErrSelf = errors.New("that is this node itself: name another")
	// ErrStopped: the block does not run.
	ErrStopped = errors.New("links are stopped")
)

// DialError says why there is no link to a node: what every endpoint answered, or that
// nobody knew one. It
// unwraps to the errors of the attempts.
type DialError struct {
	Node     name.Node
	Attempts []error
}

// Error lists the attempts in one line.
func (e *DialError) Error() string {
	texts := make([]string, len(e.Attempts))
	for i, err := range e.Attempts {
		texts[i] = err.Error()
	}
	return fmt.Sprintf("link to %s: %s", e.Node, strings.Join(texts, "; "))
}

// Unwrap gives errors.Is and errors.As the attempts.
func (e *DialError) Unwrap() []error { return e.Attempts }
