package handshake

import (
	"errors"
	"fmt"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// Code says on the wire why a handshake is refused.
type Code uint16

// The codes. Numbers are never used again for something else.
const (
	CodeNone        Code = 0 // this side failed by itself; never sent
	CodeNotBarrel   Code = 1
	CodeVersion     Code = 2
	CodeMalformed   Code = 3
	CodeOversized   Code = 4
	CodeUnexpected  Code = 5
	CodeCluster     Code = 6
	CodeName        Code = 7
	CodeWrongNode   Code = 8
	CodeSelf        Code = 9
	CodeReflection  Code = 10
	CodeSkew        Code = 11
	CodeAuthMode    Code = 12
	CodeCookie      Code = 13
	CodeProof       Code = 14
	CodeUntrusted   Code = 15
	CodeKeyMismatch Code = 16
	CodeUnavailable Code = 17
	CodeTimeout     Code = 18
	CodeEndpoints   Code = 19
)

// Why a handshake is refused; test with errors.Is, on either side. Refusals by trust
// are trust.ErrUntrusted, trust.ErrKeyMismatch and ErrUnavailable.
var (
	ErrNotBarrel   = errors.New("not a barrel handshake")
	ErrVersion     = errors.New("no common version")
	ErrMalformed   = errors.New("malformed message")
	ErrOversized   = errors.New("oversized frame")
	ErrUnexpected  = errors.New("unexpected message")
	ErrCluster     = errors.New("other cluster")
	ErrName        = errors.New("invalid node name")
	ErrWrongNode   = errors.New("wrong node at the dialed address")
	ErrSelf        = errors.New("dialed itself")
	ErrReflection  = errors.New("own handshake reflected")
	ErrSkew        = errors.New("clocks too far apart")
	ErrAuthMode    = errors.New("auth enabled on one side only")
	ErrCookie      = errors.New("cookie missing or wrong")
	ErrProof       = errors.New("proof does not hold for this connection")
	ErrUnavailable = errors.New("trust could not decide")
	ErrTimeout     = errors.New("handshake timed out")
	ErrEndpoints   = errors.New("too many or invalid endpoints")
)

// Err is the error that a Refusal with this code is, for errors.Is; nil for CodeNone
// and codes of the future.
func (c Code) Err() error {
	kinds := [...]error{
		CodeNotBarrel: ErrNotBarrel, CodeVersion: ErrVersion, CodeMalformed: ErrMalformed,
		CodeOversized: ErrOversized, CodeUnexpected: ErrUnexpected, CodeCluster: ErrCluster,
		CodeName: ErrName, CodeWrongNode: ErrWrongNode, CodeSelf: ErrSelf,
		CodeReflection: ErrReflection, CodeSkew: ErrSkew, CodeAuthMode: ErrAuthMode,
		CodeCookie: ErrCookie, CodeProof: ErrProof, CodeUntrusted: trust.ErrUntrusted,
		CodeKeyMismatch: trust.ErrKeyMismatch, CodeUnavailable: ErrUnavailable,
		CodeTimeout: ErrTimeout, CodeEndpoints: ErrEndpoints,
	}
	if int(c) < len(kinds) {
		return kinds[c]
	}
	return nil
}

// String is the code in words.
func (c Code) String() string {
	if err := c.Err(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("code %d", uint16(c))
}

// Refusal is how a handshake failed. errors.Is finds the error of its code and, if it
// was refused here, what caused it.
type Refusal struct {
	Remote bool   // the peer refused; Text is its text
	Code   Code   // CodeNone if the reason is no rule of the protocol
	Text   string // one line for people, printable, at most MaxText bytes

	cause error
}

// Error is Text, with the side that refused.
func (r *Refusal) Error() string {
	text := r.Text
	if text == "" {
		text = r.Code.String()
	}
	if r.Remote {
		return "refused by the peer: " + text
	}
	return text
}

// Is reports whether target is the error of the code.
func (r *Refusal) Is(target error) bool {
	err := r.Code.Err()
	return err != nil && err == target
}

// Unwrap is the cause, if there is one.
func (r *Refusal) Unwrap() error { return r.cause }

// because adds the cause.
func (r *Refusal) because(cause error) *Refusal {
	r.cause = cause
	return r
}

// WrongNodeError is the cause of a Refusal with CodeWrongNode.
type WrongNodeError struct {
	Want name.Node // the name that was dialed
	Got  name.Node // who is there; zero on the dialer's side if the peer refused first
}

// Error names both.
func (e *WrongNodeError) Error() string {
	if e.Got.IsZero() {
		return fmt.Sprintf("another node than %s", e.Want)
	}
	return fmt.Sprintf("%s instead of %s", e.Got, e.Want)
}

// Is reports whether target is ErrWrongNode.
func (e *WrongNodeError) Is(target error) bool { return target == ErrWrongNode }

func refusal(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Text: printable(fmt.Sprintf(format, args...))}
}

func malformed(format string, args ...any) *Refusal {
	return refusal(CodeMalformed, format, args...)
}

func oversized(size int) *Refusal {
	return refusal(CodeOversized, "frame: %d bytes, at most %d: whoever sent it does not speak this protocol", size, MaxFrame)
}
