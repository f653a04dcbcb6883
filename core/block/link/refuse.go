package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/transport"

	"github.com/barrelp2p/barrel/core/machine/handshake"
)

// explain turns an error of the stream into one about the peer. A connection that the
// peer closed tells more than the stream that broke with it: above all, why the peer
// refused, if the close was faster than the message that says so.
func (s *shaker) explain(err error) error {
	var closed *transport.CloseError
	if errors.As(context.Cause(s.t.Context()), &closed) || errors.As(err, &closed) {
		if refusal := refusalIn(closed); refusal != nil {
			return refusal
		}
		told := &transport.CloseError{Remote: closed.Remote, Code: closed.Code, Reason: printable(closed.Reason)}
		return fmt.Errorf("handshake with %s: %w", s.peer.Remote, told)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("handshake with %s: the peer ended it without a word: %w", s.peer.Remote, err)
	}
	return fmt.Errorf("handshake with %s: %w", s.peer.Remote, err)
}

// refusalIn reads the refusal out of a close reason, nil if there is none.
func refusalIn(closed *transport.CloseError) *handshake.Refusal {
	number, text, found := strings.Cut(closed.Reason, ": ")
	if !closed.Remote || closed.Code != transport.CloseRefused || !found {
		return nil
	}
	if code, err := strconv.ParseUint(number, 10, 16); err == nil {
		return &handshake.Refusal{Remote: true, Code: handshake.Code(code), Text: printable(text)}
	}
	return nil // words only
}

// refuse closes the connection so that the peer learns why: the refusal is in the last
// frame, and once more in the close reason, behind its code, for a peer that does not
// get to read the frame.
func (s *shaker) refuse(err error) {
	if s.stream != nil {
		_ = s.stream.CloseWrite()
	}
	var refusal *handshake.Refusal
	switch {
	case !errors.As(err, &refusal):
		_ = s.t.Close(transport.CloseProtocol, printable(err.Error()))
	case refusal.Remote || refusal.Code == handshake.CodeNone:
		_ = s.t.Close(transport.CloseRefused, printable(err.Error()))
	default:
		s.linger()
		reason := strconv.Itoa(int(refusal.Code)) + ": " + refusal.Text
		_ = s.t.Close(transport.CloseRefused, printable(reason))
	}
}

// linger gives the peer a moment to read the refusal and to close by itself.
func (s *shaker) linger() {
	timer := time.NewTimer(refusalWait)
	defer timer.Stop()
	select {
	case <-s.t.Context().Done():
	case <-timer.C:
	}
}

const refusalWait = 300 * time.Millisecond
