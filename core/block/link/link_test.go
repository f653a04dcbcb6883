package link_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

func TestConnectOnceAndBothSidesKnow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		a.connect(t, b)
		for _, h := range []*host{a, b} {
			if links := h.List(); len(links) != 1 || links[0].Peer.Proof != handshake.Signed {
				t.Errorf("%s has links %+v, want one with a signed peer", h.name, links)
			}
		}
		want(t, a, "up b@h 1")
		want(t, b, "up a@h 1")
		if peer, ok := b.Peer(a.name); !ok || peer.Key != a.cfg.Signer().Public() {
			t.Errorf("b knows a as %+v, want a's key", peer)
		}
	})
}

// want compares everything that a node's observer has heard.
func want(t *testing.T, h *host, lines ...string) {
	t.Helper()
	if got := h.events.all(); !slices.Equal(got, lines) {
		t.Errorf("%s heard %q, want %q", h.name, got, lines)
	}
}

func TestManyCallersShareOneDial(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() { must(t, a.Connect(t.Context(), b.name, nil)) })
		}
		callers.Wait()
		synctest.Wait()
		want(t, a, "up b@h 1")
		want(t, b, "up a@h 1")
	})
}

func TestSimultaneousDialsEndInOneLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		for range 50 {
			var dials sync.WaitGroup
			dials.Go(func() { must(t, a.Connect(t.Context(), b.name, nil)) })
			dials.Go(func() { must(t, b.Connect(t.Context(), a.name, nil)) })
			dials.Wait()
			time.Sleep(30 * time.Second) // virtual: longer than any draining
			for _, h := range []*host{a, b} {
				if links := h.List(); len(links) != 1 {
					t.Fatalf("%s has %d links, want 1", h.name, len(links))
				}
				if n := h.events.count("down " + other(a, b, h) + " duplicate"); n > 0 {
					t.Fatalf("%s took the closing of a duplicate for the loss of the link", h.name)
				}
			}
			a.Disconnect(b.name, transport.CloseDropped, "next round")
			time.Sleep(5 * time.Second)
		}
		if ups, downs := len(lines(a, "up ")), len(lines(a, "down ")); ups != 50 || downs != 50 {
			t.Errorf("a heard %d ups and %d downs in 50 rounds", ups, downs)
		}
	})
}

func other(a, b, h *host) string {
	if h == a {
		return b.name.String()
	}
	return a.name.String()
}

func lines(h *host, prefix string) []string {
	return slices.DeleteFunc(h.events.all(), func(l string) bool { return !strings.HasPrefix(l, prefix) })
}

func TestTrustDecidesBeforeAnythingFlows(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		no := decider(func(c trust.Claim) error {
			return errors.Join(errors.New("ask the operator of b"), trust.ErrUntrusted)
		})
		a, b := w.node("a@h"), w.node("b@h", func(c *link.Config) { c.Trust = no })
		err := a.Connect(t.Context(), b.name, nil)
		if !errors.Is(err, trust.ErrUntrusted) || !strings.Contains(err.Error(), "ask the operator of b") {
			t.Errorf("a learned %v, want that b does not trust its key, and what to do", err)
		}
		synctest.Wait()
		if got := lines(b, "refused a@h dialed=false"); len(got) != 1 {
			t.Errorf("b heard %q, want one refusal of a", b.events.all())
		}
		if len(lines(a, "up"))+len(lines(b, "up")) > 0 {
			t.Error("a refused link came up")
		}
	})
}

func TestTrustThatPanicsRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		b := w.node("b@h", func(c *link.Config) { c.Trust = decider(func(trust.Claim) error { panic("lost my pins") }) })
		if err := a.Connect(t.Context(), b.name, nil); !errors.Is(err, handshake.ErrUnavailable) {
			t.Errorf("Connect: %v, want a refusal because trust could not decide", err)
		}
	})
}

func TestWrongNodeAtTheAddress(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a@h"), w.node("b@h"), w.node("c@h")
		w.publish(b.name, c.transport.Addresses()...)
		if err := a.Connect(t.Context(), b.name, nil); !errors.Is(err, handshake.ErrWrongNode) {
			t.Errorf("Connect: %v, want that another node is there", err)
		}
		w.publish(b.name, c.transport.Addresses()[0], b.transport.Addresses()[0])
		a.connect(t, b) // the next endpoint leads to it
	})
}

func TestUnknownNode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.publish(b.name)
		if err := a.Connect(t.Context(), b.name, nil); !errors.Is(err, discovery.ErrNotFound) {
			t.Errorf("Connect: %v, want not found", err)
		}
		must(t, a.Connect(t.Context(), b.name, b.transport.Addresses())) // endpoints known otherwise
		if err := a.Connect(t.Context(), a.name, nil); !errors.Is(err, link.ErrSelf) {
			t.Errorf("Connect to itself: %v", err)
		}
	})
}

func TestBackoffAfterAFailedDial(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.network.Refuse(a.name, b.name)
		if err := a.Reach(t.Context(), b.name); !errors.Is(err, transport.ErrUnreachable) {
			t.Fatalf("Reach: %v, want unreachable", err)
		}
		var wait *link.BackoffError
		if err := a.Reach(t.Context(), b.name); !errors.As(err, &wait) || !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("second Reach: %v, want to be told to wait, and why", err)
		}
		w.network.Heal(a.name, b.name)
		must(t, a.Connect(t.Context(), b.name, nil)) // Connect does not wait
		must(t, a.Reach(t.Context(), b.name))
	})
}

func TestLeaveIsToldFromFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a@h"), w.node("b@h"), w.node("c@h")
		a.connect(t, b)
		c.connect(t, b)
		must(t, a.Send(b.name, link.Membership, []byte("bye")))
		a.CloseAll(t.Context(), transport.CloseLeaving, "left")
		synctest.Wait()
		c.stop()
		synctest.Wait()
		want(t, b, "up a@h 1", "up c@h 1", "frame a@h bye", "down a@h leaving", "down c@h stopping")
	})
}

func TestSilenceIsNoticedInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		time.Sleep(time.Minute) // heartbeats keep a quiet link up
		want(t, b, "up a@h 1")
		w.network.Cut(a.name, b.name)
		limits := a.transport.Liveness()
		time.Sleep(limits.Idle + limits.Heartbeat/2)
		want(t, a, "up b@h 1", "down b@h silent")
		want(t, b, "up a@h 1", "down a@h silent")
	})
}

func TestIdleLinksAreCollectedWhenBothAgree(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		b.Hold(a.name, true)
		time.Sleep(20 * time.Minute)
		want(t, a, "up b@h 1") // b holds it: a veto
		b.Hold(a.name, false)
		time.Sleep(3 * time.Minute)
		want(t, a, "up b@h 1", "down b@h idle")
		want(t, b, "up a@h 1", "down a@h idle")
	})
}

func TestOpenStreamKeepsALink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		const kind = link.StreamKind(9)
		done := make(chan struct{})
		b.HandleStreams(kind, link.InUse, func(ctx context.Context, _ link.Peer, s *link.Stream) { <-done })
		s, err := a.OpenStream(t.Context(), b.name, kind, link.InUse)
		must(t, err)
		time.Sleep(time.Hour)
		want(t, a, "up b@h 1")
		s.Reset(transport.CloseNone)
		s.Release()
		s.Release()
		close(done)
		time.Sleep(10 * time.Minute)
		want(t, a, "up b@h 1", "down b@h idle")
	})
}

func TestALaterLifeReplacesTheEarlier(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		w.network.Cut(a.name, b.name) // the old life dies unheard
		b.stop()
		w.network.Heal(a.name, b.name)
		again := w.node("b@h", func(c *link.Config) { c.Incarnation = 2 })
		again.connect(t, a)
		time.Sleep(10 * time.Second)
		got := a.events.all()
		if len(got) != 3 || got[0] != "up b@h 1" || !strings.HasPrefix(got[1], "down b@h") || got[2] != "up b@h 2" {
			t.Errorf("a heard %q, want the first life up and down, then the second up", got)
		}
	})
}

func TestPing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		if _, err := a.Ping(t.Context(), b.name); err != nil {
			t.Fatalf("first ping opens a link: %v", err)
		}
		w.network.Cut(a.name, b.name)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Ping(ctx, b.name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ping into a cut network: %v, want the deadline", err)
		}
	})
}

func TestFramesKeepTheirOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		wanted := []string{"up a@h 1"}
		for i := range 100 {
			text := strings.Repeat("x", i)
			must(t, a.Send(b.name, link.Membership, []byte(text)))
			wanted = append(wanted, "frame a@h "+text)
		}
		synctest.Wait()
		want(t, b, wanted...)
		if err := a.Send(b.name, link.Membership, make([]byte, link.MaxFrame+1)); !errors.Is(err, link.ErrFrame) {
			t.Errorf("oversized frame: %v", err)
		}
		if err := a.Send(name.MustNode("c@h"), link.Membership, nil); !errors.Is(err, link.ErrNoLink) {
			t.Errorf("frame to a stranger: %v", err)
		}
	})
}

func TestASlowPeerIsToldToTheSender(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		a.connect(t, b)
		w.network.Cut(a.name, b.name)
		for range 10_000 {
			if err := a.Send(b.name, link.Membership, make([]byte, link.MaxFrame)); err != nil {
				if !errors.Is(err, link.ErrBusy) {
					t.Fatalf("Send: %v", err)
				}
				return
			}
		}
		t.Error("10,000 frames were taken for a peer that reads nothing")
	})
}
