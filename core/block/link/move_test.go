package link_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestFramesAreNotOvertakenWhenALinkMoves(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		first := dial(b).handshake(b.name, 1)
		synctest.Wait()
		must(t, b.Send(first.node, link.Membership, []byte("1")))
		second := dial(b).handshake(b.name, 2)
		synctest.Wait()
		must(t, b.Send(first.node, link.Membership, []byte("2")))
		on2 := second.answer()
		synctest.Wait()
		if got := on2.all(); len(got) > 0 {
			t.Errorf("%q came over the second connection before the first was read", got)
		}
		on1 := first.answer()
		synctest.Wait()
		if got := on1.all(); !slices.Equal(got, []string{"frame x@h 1"}) {
			t.Errorf("over the first came %q", got)
		}
		if got := on2.all(); !slices.Equal(got, []string{"frame x@h 2"}) {
			t.Errorf("over the second came %q", got)
		}
	})
}

func TestADeadConnectionDoesNotHoldFramesUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		first := dial(b).handshake(b.name, 1) // never reads
		synctest.Wait()
		must(t, b.Send(first.node, link.Membership, []byte("1")))
		second := dial(b).handshake(b.name, 2).answer()
		synctest.Wait()
		must(t, b.Send(first.node, link.Membership, []byte("2")))
		time.Sleep(2500 * time.Millisecond)
		if got := second.all(); !slices.Contains(got, "frame x@h 2") {
			t.Errorf("over the second connection came %q", got)
		}
	})
}

func TestTheConnectionThatDrainsIsUsedAgainIfTheOtherDies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		first := dial(b).handshake(b.name, 1)
		on1 := first.answer()
		second := dial(b).handshake(b.name, 2)
		synctest.Wait()
		_ = second.conn.Close(transport.CloseProtocol, "dies")
		synctest.Wait()
		must(t, b.Send(first.node, link.Membership, []byte("back")))
		time.Sleep(5 * time.Minute / 2)
		if got := on1.all(); !slices.Contains(got, "frame x@h back") {
			t.Errorf("over the first connection came %q", got)
		}
		want(t, b, "up x@h 1")
	})
}

func TestAStreamInUseIsNotCutByADuplicate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const kind = link.StreamKind(9)
		b := w.node("b@h")
		b.HandleStreams(kind, link.InUse, func(_ context.Context, _ link.Peer, s *link.Stream) {
			_, _ = io.Copy(s, s)
			_ = s.CloseWrite()
		})
		_, dial := w.stranger("x@h", "")
		first := dial(b).handshake(b.name, 1)
		first.answer()
		s := first.stream(link.Version, byte(kind), 'a')
		second := dial(b).handshake(b.name, 2)
		second.answer()
		time.Sleep(time.Hour)
		first.write(s, []byte("b"))
		must(t, s.CloseWrite())
		if got, err := io.ReadAll(s); err != nil || string(got) != "ab" {
			t.Errorf("the stream echoed %q, %v", got, err)
		}
		time.Sleep(2 * time.Minute)
		if first.conn.Context().Err() == nil {
			t.Error("the first connection is still open, though nobody uses it")
		}
		want(t, b, "up x@h 1")
	})
}

func TestSimultaneousDialsKeepTheOrderOfFrames(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		for round := range 30 {
			var busy sync.WaitGroup
			for _, pair := range [][2]*host{{a, b}, {b, a}} {
				busy.Go(func() {
					must(t, pair[0].Connect(t.Context(), pair[1].name, nil))
					for i := range 50 {
						must(t, pair[0].Send(pair[1].name, link.Membership, fmt.Appendf(nil, "%03d %03d", round, i)))
						time.Sleep(time.Duration(i%3) * time.Millisecond)
					}
				})
			}
			busy.Wait()
			time.Sleep(time.Minute)
			a.Disconnect(b.name, transport.CloseDropped, "next round")
			time.Sleep(5 * time.Second)
		}
		for _, h := range []*host{a, b} {
			if got := lines(h, "frame"); len(got) != 30*50 || !slices.IsSorted(got) {
				t.Errorf("%s heard %d frames, in order: %v; want %d in order", h.name, len(got), slices.IsSorted(got), 30*50)
			}
		}
	})
}

func TestAnIdleLinkThatIsUsedAtTheLastMomentStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		heard := r.answer()
		time.Sleep(6*time.Minute + time.Second)
		if !slices.Contains(heard.all(), fmt.Sprintf("own x@h %d", ownIdle)) {
			t.Fatalf("b proposed nothing: %q", heard.all())
		}
		must(t, b.Send(r.node, link.Membership, []byte("used")))
		r.own(ownAgreed)
		time.Sleep(5 * time.Second)
		want(t, b, "up x@h 1")

		r.own(ownIdle) // not now: it was used a moment ago
		synctest.Wait()
		if slices.Contains(heard.all(), fmt.Sprintf("own x@h %d", ownAgreed)) {
			t.Error("b agreed to close a link that it has just used")
		}
	})
}

func TestAnIdleLinkThatThePeerKeepsIsUsedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		heard := r.answer()
		time.Sleep(4 * time.Minute)
		r.own(ownIdle)
		synctest.Wait()
		if !slices.Contains(heard.all(), fmt.Sprintf("own x@h %d", ownAgreed)) {
			t.Fatalf("b did not agree: %q", heard.all())
		}
		time.Sleep(3 * time.Second) // x changes its mind
		must(t, b.Send(r.node, link.Membership, []byte("still there")))
		synctest.Wait()
		if got := heard.all(); got[len(got)-1] != "frame x@h still there" {
			t.Errorf("x heard %q", got)
		}
		want(t, b, "up x@h 1")
	})
}

func TestPingsOfAPeerAreAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		_, dial := w.stranger("x@h", "")
		r := dial(b).handshake(b.name, 1)
		r.write(r.control, frame(link.Version, 0, 9, "\x01abcdefgh"))
		if channel, body, err := r.read(); err != nil || channel != 0 || body != "\x02abcdefgh" {
			t.Errorf("answered %d %q, %v", channel, body, err)
		}
		r.write(r.control, frame(link.Version, 0, 9, "\x02abcdefgh")) // nobody asked
		r.write(r.control, frame(link.Version, 0, 5+5, string(rune(ownGoodbye))+"\x00\x00\x00\x02later"))
		if got := code(t, r.cause()); got != transport.CloseLeaving {
			t.Errorf("after the good-bye closed with %v", got)
		}
		synctest.Wait()
		want(t, b, "up x@h 1", "down x@h leaving")
	})
}

func TestLinksStopAndStartAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		for range 3 {
			a.connect(t, b)
			begin := time.Now()
			must(t, b.Stop(t.Context()))
			must(t, b.Stop(t.Context()))
			synctest.Wait()
			if took := time.Since(begin); took > 0 {
				t.Errorf("Stop took %v", took)
			}
			if err := b.Connect(t.Context(), a.name, nil); !strings.Contains(fmt.Sprint(err), link.ErrStopped.Error()) {
				t.Errorf("Connect of a stopped block: %v", err)
			}
			must(t, b.Start(t.Context()))
		}
		b.connect(t, a)
		want(t, a, "up b@h 1", "down b@h stopping", "up b@h 1", "down b@h stopping", "up b@h 1", "down b@h stopping", "up b@h 1")
	})
}

func TestStopDuringADialAndHandshakes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		_, dial := w.stranger("x@h", "")
		for range 10 {
			dial(a)
		}
		b := w.node("b@h")
		w.publish(b.name, w.tarpit("t@h"))
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if err := a.Connect(t.Context(), b.name, nil); err == nil {
				t.Error("Connect succeeds in a block that stops")
			}
		})
		synctest.Wait()
		begin := time.Now()
		must(t, a.Stop(t.Context()))
		waiting.Wait()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Stop took %v", took)
		}
		must(t, a.Start(t.Context()))
		w.publish(b.name, b.transport.Addresses()...)
		must(t, a.Reach(t.Context(), b.name)) // what Stop broke off is no reason to wait
	})
}

func TestATransportThatRestartsUnderTheLinks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.nodeAt("b@h", "mem:77")
		a.connect(t, b)
		must(t, b.transport.Stop(t.Context()))
		time.Sleep(time.Second)
		if err := a.Connect(t.Context(), b.name, nil); err == nil {
			t.Error("Connect to a node without a transport succeeds")
		}
		must(t, b.transport.Start(t.Context()))
		time.Sleep(time.Second)
		a.connect(t, b)
		a.Disconnect(b.name, transport.CloseDropped, "")
		time.Sleep(2 * time.Second)
		b.connect(t, a)
		if got := lines(b, "down"); len(got) != 2 || got[0] != "down a@h stopping" {
			t.Errorf("b heard %q", got)
		}
	})
}

func TestDownComesAfterTheLastFrameOfALife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		for life := uint64(1); life <= 30; life++ {
			b := w.node("b@h", func(c *link.Config) { c.Incarnation = life })
			must(t, b.Connect(t.Context(), a.name, nil))
			go func() {
				for i := range 100 {
					if b.Send(a.name, link.Membership, fmt.Appendf(nil, "%d %d", life, i)) != nil {
						return
					}
				}
			}()
		}
		time.Sleep(10 * time.Second)
		life := ""
		for _, line := range a.events.all() {
			words := strings.Fields(line)
			switch {
			case words[0] == "up":
				life = words[2]
			case words[0] == "down":
				life = ""
			case words[0] == "frame" && words[2] != life:
				t.Fatalf("%q while the life that is up is %q", line, life)
			}
		}
	})
}

func TestWhoIsHeldOrLinkedOrUnknown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		if _, ok := a.Peer(b.name); ok {
			t.Error("a knows b before there is a link")
		}
		a.Hold(b.name, false)
		a.Disconnect(b.name, transport.CloseNone, "")
		a.Hold(b.name, true)
		a.connect(t, b)
		time.Sleep(time.Hour)
		want(t, a, "up b@h 1") // held before it was there
		a.Disconnect(b.name, transport.CloseDropped, "no more")
		if err := a.Send(b.name, link.Membership, nil); err == nil {
			t.Error("a frame is taken after the good-bye")
		}
	})
}
