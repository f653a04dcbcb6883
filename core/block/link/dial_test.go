package link_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// contextFor is a context for goroutines of tests, which end with their bubble.
func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// tarpit is an address that takes connections and says nothing.
func (w *world) tarpit(text string) name.Address {
	made := w.transportAt(name.MustNode(text), "")
	go func() {
		ctx, cancel := contextFor(time.Hour)
		defer cancel()
		for {
			if _, err := made.Accept(ctx); err != nil {
				return
			}
		}
	}()
	return made.Addresses()[0]
}

func TestTheTimeOfADialIsBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		b := name.MustNode("b@h")
		w.publish(b, w.tarpit("t1@h"), w.tarpit("t2@h"), w.tarpit("t3@h"))
		begin := time.Now()
		err := a.Connect(t.Context(), b, nil)
		var failed *link.DialError
		if !errors.As(err, &failed) || len(failed.Attempts) != 3 {
			t.Errorf("Connect: %v, want that all three were tried", err)
		}
		if took, most := time.Since(begin), a.cfg.HandshakeTimeout+10*time.Second; took > most {
			t.Errorf("took %v, want at most %v", took, most)
		}
	})
}

func TestASilentEndpointLeavesTimeForTheNext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.publish(b.name, w.tarpit("t@h"), name.MustAddress("mem:9999"), a.transport.Addresses()[0], b.transport.Addresses()[0])
		begin := time.Now()
		a.connect(t, b)
		if took := time.Since(begin); took > a.cfg.HandshakeTimeout+5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAStaleEndpointOfAnotherClusterIsNotFinal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		c := w.node("c@h", func(c *link.Config) { c.Cluster = "other" })
		impostor := w.node("b@h", func(c *link.Config) {})
		w.publish(b.name, c.transport.Addresses()[0], b.transport.Addresses()[0])
		a.connect(t, b)
		a.Disconnect(b.name, transport.CloseDropped, "")
		time.Sleep(2 * time.Second)
		key := b.cfg.Signer().Public()
		d := w.node("d@h", func(c *link.Config) {
			c.Trust = decider(func(claim trust.Claim) error {
				if claim.Key != key {
					return trust.ErrKeyMismatch
				}
				return nil
			})
		})
		w.publish(b.name, impostor.transport.Addresses()[0], b.transport.Addresses()[0])
		d.connect(t, b) // whoever goes by b's name at its old address does not keep d from b
	})
}

func TestARefusalByTheRightNodeIsFinal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		no := decider(func(trust.Claim) error { return trust.ErrUntrusted })
		a, b := w.node("a@h"), w.node("b@h", func(c *link.Config) { c.Trust = no })
		addr := b.transport.Addresses()[0]
		w.publish(b.name, addr, name.MustAddress("mem:9999"))
		var failed *link.DialError
		if err := a.Connect(t.Context(), b.name, nil); !errors.As(err, &failed) || len(failed.Attempts) != 1 {
			t.Errorf("Connect: %v, want one attempt", err)
		}
	})
}

func TestAnInboundLinkServesThoseWhoWaitForADial(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.publish(b.name, w.tarpit("t@h")) // a's own dial hangs
		var waiting sync.WaitGroup
		begin := time.Now()
		for range 10 {
			waiting.Go(func() { must(t, a.Connect(t.Context(), b.name, nil)) })
		}
		time.Sleep(time.Second)
		b.connect(t, a)
		waiting.Wait()
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("served after %v, want as soon as there was a link", took)
		}
		time.Sleep(time.Minute)
		want(t, a, "up b@h 1", "refused b@h dialed=true "+lastOf(lines(a, "refused b@h dialed=true ")))
	})
}

func lastOf(lines []string) string {
	if len(lines) == 0 {
		return "(nothing)"
	}
	return lines[len(lines)-1][len("refused b@h dialed=true "):]
}

func TestBackoffEndsWithAnInboundLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.publish(b.name, name.MustAddress("mem:9999"))
		for range 20 {
			_ = a.Connect(t.Context(), b.name, nil)
		}
		var wait *link.BackoffError
		if err := a.Reach(t.Context(), b.name); !errors.As(err, &wait) || time.Until(wait.Until) > 45*time.Second {
			t.Errorf("Reach: %v, want to be told to wait, for 45 s at most", err)
		}
		b.connect(t, a)
		must(t, a.Reach(t.Context(), b.name))
		b.Disconnect(a.name, transport.CloseDropped, "")
		time.Sleep(2 * time.Second)
		w.publish(b.name, b.transport.Addresses()...)
		must(t, a.Reach(t.Context(), b.name))
	})
}

func TestACallerMayLeaveADialToTheOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.network.Cut(a.name, b.name)
		ctx, cancel := contextFor(time.Second)
		defer cancel()
		var stays sync.WaitGroup
		stays.Go(func() { must(t, a.Connect(t.Context(), b.name, []name.Address{b.transport.Addresses()[0]})) })
		synctest.Wait()
		if err := a.Connect(ctx, b.name, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Connect: %v, want the deadline of its own context", err)
		}
		b.healAndConnect(t, a, w)
		stays.Wait()
	})
}

// healAndConnect ends a Cut and connects.
func (h *host) healAndConnect(t *testing.T, to *host, w *world) {
	t.Helper()
	w.network.Heal(h.name, to.name)
	h.connect(t, to)
}

func TestAResolverThatPanicsLeavesNobodyWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.node("b@h")
		broken := &breakable{world: w, broken: true}
		quiet := plugin.NewTasks(func(plugin.Panic) {})
		a := w.node("a@h", func(c *link.Config) { c.Resolver, c.Tasks = broken, quiet })
		if err := a.Connect(t.Context(), b.name, nil); err == nil {
			t.Error("Connect through a resolver that panics succeeds")
		}
		broken.broken = false
		a.connect(t, b)
	})
}

type breakable struct {
	*world
	broken bool
}

func (b *breakable) Addresses(ctx context.Context, node name.Node) ([]name.Address, error) {
	if b.broken {
		panic("resolver")
	}
	return b.world.Addresses(ctx, node)
}

func TestALinkToOneselfThroughAStaleEndpoint(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		b := name.MustNode("b@h")
		w.publish(b, a.transport.Addresses()...)
		err := a.Connect(t.Context(), b, nil)
		if !errors.Is(err, handshake.ErrSelf) && !errors.Is(err, handshake.ErrWrongNode) {
			t.Errorf("Connect: %v, want that this node itself is there", err)
		}
	})
}
