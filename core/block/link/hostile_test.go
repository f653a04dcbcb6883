package link_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// code is why a connection was closed.
func code(t *testing.T, err error) transport.CloseCode {
	t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) {
		t.Errorf("ended with %v, want that it was closed", err)
		return transport.CloseNone
	}
	return closed.Code
}

func TestAFirstStreamThatIsNoHandshakeIsRefused(t *testing.T) {
	for what, first := range map[string]string{
		"http":      "GET / HTTP/1.1\r\nHost: barrel\r\n\r\n",
		"oversized": "\xff\xffxxxx",
		"empty":     "\x00\x00",
		"data":      "\x01\x01\x00\x00\x00\x05hello",
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
				_, dial := w.stranger("x@h", "")
				r := dial(b)
				r.stream([]byte(first)...)
				if got := code(t, r.cause()); got != transport.CloseRefused {
					t.Errorf("closed with %v, want refused", got)
				}
				if len(lines(b, "refused")) != 1 || len(lines(b, "up")) > 0 {
					t.Errorf("b heard %q, want one refusal", b.events.all())
				}
			})
		})
	}
}

func TestAByteAtATimeIsCutAtTheDeadline(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r, begin := dial(b), time.Now()
		s := r.stream(0x07)
		r.drink(s)
		for r.conn.Context().Err() == nil {
			time.Sleep(time.Second)
			_, _ = s.Write([]byte{0xd0}) // fails at the end
		}
		if took := time.Since(begin); took < b.cfg.HandshakeTimeout || took > b.cfg.HandshakeTimeout+2*time.Second {
			t.Errorf("cut after %v, want at the handshake timeout, %v", took, b.cfg.HandshakeTimeout)
		}
		if len(lines(b, "up")) > 0 {
			t.Error("a link came up")
		}
	})
}

func TestAStreamBeforeTheHandshakeDoesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const kind = link.StreamKind(9)
		served := make(chan string, 1)
		b := w.node("b@h")
		b.HandleStreams(kind, link.Pooled, func(_ context.Context, p link.Peer, s *link.Stream) {
			text := make([]byte, 5)
			_, _ = s.Read(text)
			served <- p.Node.String() + " " + string(text)
		})
		_, dial := w.stranger("x@h", "")
		r := dial(b)
		var err error
		r.control, err = r.conn.OpenStream(t.Context())
		must(t, err)
		r.write(r.control, []byte{0}) // half a length, so that the first stream is the first
		synctest.Wait()
		r.stream(link.Version, byte(kind), 'h', 'e', 'l', 'l', 'o')
		synctest.Wait()
		select {
		case got := <-served:
			t.Errorf("served %q before the handshake", got)
		default:
		}
		_ = r.conn.Close(transport.CloseNone, "")
		synctest.Wait()
		if len(served)+len(lines(b, "up")) > 0 {
			t.Error("a stream was served, or a link came up, without a handshake")
		}
		r = dial(b).handshake(b.name, 1)
		r.stream(link.Version, byte(kind), 'h', 'e', 'l', 'l', 'o')
		if got := <-served; got != "x@h hello" {
			t.Errorf("after the handshake b was sent %q", got)
		}
	})
}

func TestHalfOpenConnectionsDoNotKeepPeersOut(t *testing.T) {
	for what, floodHost := range map[string]string{"from elsewhere": "flood", "from the same place": "mem"} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
				var floods []func(*host) *raw
				for i := range 8 {
					_, dial := w.stranger(fmt.Sprintf("x%d@h", i), fmt.Sprintf("%s%s:%d", floodHost, suffix(floodHost, i), 1000+i))
					floods = append(floods, dial)
				}
				busy := 0
				var all []*raw
				for i := range 1000 {
					all = append(all, floods[i%len(floods)](b))
					synctest.Wait()
				}
				a := w.node("a@h")
				a.connect(t, b)
				for _, r := range all {
					if r.conn.Context().Err() != nil && code(t, r.cause()) == transport.CloseBusy {
						busy++
					}
				}
				if left := len(all) - busy; left > 128 {
					t.Errorf("%d half-open connections are kept, want at most 128", left)
				}
				want(t, a, "up b@h 1")
				time.Sleep(time.Minute)
				if ups := lines(b, "up"); len(ups) != 1 {
					t.Errorf("b heard %q, want one link, with a", ups)
				}
			})
		})
	}
}

// suffix spreads the flood over hosts, or not.
func suffix(host string, i int) string {
	if host == "mem" {
		return ""
	}
	return fmt.Sprint(i)
}

func TestOneCrowdedPlaceLeavesRoomForOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.nodeAt("b@h", "honest:1")
		_, dial := w.stranger("x@h", "crowd:1")
		hello := helloOf(t, w, b)
		for range 32 { // all have spoken, so none makes room
			r := dial(b)
			r.stream(hello...)
			synctest.Wait()
		}
		r := dial(b)
		if got := code(t, r.cause()); got != transport.CloseBusy {
			t.Errorf("the next of the crowd was closed with %v, want busy", got)
		}
		a := w.nodeAt("a@h", "honest:2")
		a.connect(t, b)
	})
}

// helloOf is the first frame that somebody sends who dials to.
func helloOf(t *testing.T, w *world, to *host) []byte {
	t.Helper()
	cfg := handshake.Config{
		Dialer: true, Self: handshake.Identity{Node: to.name, Cluster: "test", Incarnation: 1, Key: [32]byte{1}},
		Expect: to.name, Binding: [32]byte{1}, Nonce: [32]byte{1}, Wall: time.Now(), Skew: time.Minute, Timeout: time.Minute,
		Auth: true, Sign: func([]byte) [64]byte { return [64]byte{} },
	}
	cfg.Self.Node = w.node("hello@h").name
	var out handshake.Effects
	handshake.New(cfg, 0).Step(0, handshake.Input{Kind: handshake.Start}, &out)
	if len(out.Send) != 1 {
		t.Fatalf("no hello: %v", out.Failed)
	}
	return handshake.AppendFrame(nil, out.Send[0])
}

func TestBrokenControlFramesEndTheLink(t *testing.T) {
	for what, data := range map[string][]byte{
		"version":        frame(2, 0, 0, ""),
		"oversized":      frame(link.Version, 1, link.MaxFrame+1, "x"),
		"huge":           frame(link.Version, 1, 1<<32-1, "x"),
		"empty own":      frame(link.Version, 0, 0, ""),
		"short ping":     frame(link.Version, 0, 2, "\x01x"),
		"short pong":     frame(link.Version, 0, 2, "\x02x"),
		"short good-bye": frame(link.Version, 0, 2, "\x03x"),
		"long good-bye":  frame(link.Version, 0, 1000, "\x03"+strings.Repeat("x", 999)),
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
				_, dial := w.stranger("x@h", "")
				r := dial(b).handshake(b.name, 1)
				r.write(r.control, data)
				if got := code(t, r.cause()); got != transport.CloseProtocol {
					t.Errorf("closed with %v, want protocol", got)
				}
				synctest.Wait()
				want(t, b, "up x@h 1", "down x@h protocol")
			})
		})
	}
}

func TestUnknownFramesAndChannelsAreIgnored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		r.write(r.control, frame(link.Version, 0, 3, "\xeexx"))
		r.write(r.control, frame(link.Version, 200, 3, "xxx"))
		r.write(r.control, frame(link.Version, byte(link.Membership), 2, "hi"))
		synctest.Wait()
		want(t, b, "up x@h 1", "frame x@h hi")
	})
}

func TestAStreamOfNoKnownKindIsReset(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		for _, head := range [][]byte{{link.Version, 77}, {9, 9}} {
			s := r.stream(head...)
			must(t, s.SetReadDeadline(time.Now().Add(time.Minute)))
			var reset *transport.ResetError
			if _, err := s.Read(make([]byte, 1)); !errors.As(err, &reset) {
				t.Errorf("header %v: %v, want a reset", head, err)
			}
		}
		s, begin := r.stream(link.Version), time.Now() // half a header
		if _, err := s.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > b.cfg.HandshakeTimeout {
			t.Errorf("half a header: %v after %v", err, time.Since(begin))
		}
		want(t, b, "up x@h 1")
	})
}

func TestAPeerThatReadsNoControlFramesIsLetGo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		var err error
		for err == nil { // until the stream and the queue are full
			err = b.Send(r.node, link.Membership, make([]byte, link.MaxFrame))
			synctest.Wait()
		}
		if !errors.Is(err, link.ErrBusy) {
			t.Errorf("Send: %v, want busy", err)
		}
		b.Disconnect(r.node, transport.CloseDropped, "enough")
		time.Sleep(3 * time.Second)
		want(t, b, "up x@h 1", "down x@h dropped")
	})
}

func TestAControlStreamThatIsResetEndsTheLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		r.control.Reset(transport.CloseNone)
		if got := code(t, r.cause()); got != transport.CloseProtocol {
			t.Errorf("closed with %v, want protocol", got)
		}
		synctest.Wait()
		want(t, b, "up x@h 1", "down x@h protocol")
	})
}

func TestConnectionsOfOnePeerAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		var all []*raw
		for epoch := range uint64(20) {
			r := dial(b).handshake(b.name, epoch+1)
			r.drink(r.control)
			all = append(all, r)
			synctest.Wait()
		}
		open := 0
		for _, r := range all {
			if r.conn.Context().Err() == nil {
				open++
			}
		}
		if open > 4 {
			t.Errorf("%d connections with one peer are open, want at most 4", open)
		}
		if all[len(all)-1].conn.Context().Err() != nil {
			t.Error("the one with the highest epoch was closed")
		}
		want(t, b, "up x@h 1")
	})
}

func TestReasonsOfPeersArePrintable(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b)
		r.stream(0)
		synctest.Wait()
		_ = r.conn.Close(transport.CloseRefused, "\x1b[2Jowned\n"+strings.Repeat("é", 300))
		synctest.Wait()
		got := lines(b, "refused")
		if len(got) != 1 || strings.ContainsAny(got[0], "\x1b\n") || len(got[0]) > 1000 {
			t.Errorf("b heard %q, want one short line", got)
		}
	})
}

// What a peer sends before it is known has to be kept, so there may not be much of it.
func TestMuchBeforeTheHandshakeIsCut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r, begin := dial(b), time.Now()
		r.stream(0x07) // no more than the first byte of a handshake
		for range 100 {
			s, err := r.conn.OpenStream(t.Context())
			if err != nil {
				break
			}
			_ = s.SetWriteDeadline(time.Now().Add(time.Millisecond))
			_, _ = s.Write(make([]byte, 1<<20)) // until the window is full
		}
		if got := code(t, r.cause()); got != transport.CloseBusy || time.Since(begin) > b.cfg.HandshakeTimeout/2 {
			t.Errorf("closed with %v after %v", got, time.Since(begin))
		}
		if len(lines(b, "up")) > 0 {
			t.Error("a link came up")
		}
	})
}
