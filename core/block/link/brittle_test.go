package link_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// brittle is a stream whose connection ends when it is written for the last-th time.
type brittle struct {
	transport.Stream
	t              *testing.T
	conn           transport.Conn
	last           int
	writes, failed int
}

func (s *brittle) Write(p []byte) (int, error) {
	if s.writes++; s.writes >= s.last {
		_ = s.conn.Close(transport.CloseNone, "the line is cut")
	}
	return s.Stream.Write(p)
}

// Read ends the goroutine of who does not take no for an answer.
func (s *brittle) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if err != nil {
		if s.failed++; s.failed > 10 {
			s.t.Errorf("a stream that is cut at write %d is read again and again", s.last)
			runtime.Goexit()
		}
	}
	return n, err
}

// Wherever the line is cut while this side writes, its handshake is over: with the last message, too,
// after which the machine has nothing more to say.
func TestAHandshakeThatCannotBeWrittenIsOver(t *testing.T) {
	for last := 1; last <= 3; last++ { // HELLO; PROOF and ACCEPT; DONE
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				cut := w.node("b@h", func(c *link.Config) {
					c.Transport = &line{Plugin: w.transportAt(name.MustNode("b@h"), ""), inbound: func(on transport.Conn, s transport.Stream) transport.Stream {
						return &brittle{Stream: s, t: t, conn: on, last: last}
					}}
				})
				a := w.node("a@h")
				if err := a.Connect(t.Context(), cut.name, nil); err == nil {
					t.Error("the dialer has a link")
				}
				synctest.Wait()
				if got := lines(cut, "up"); len(got) > 0 {
					t.Errorf("the other side has one: %q", got)
				}
				if got := lines(cut, "refused"); len(got) != 1 {
					t.Errorf("told %q, want one refusal", got)
				}
			})
		})
	}
}
