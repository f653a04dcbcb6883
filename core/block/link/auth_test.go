package link_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

type edit = func(*link.Config)

func cookie(text string) edit { return func(c *link.Config) { c.Cookie = []byte(text) } }

func noAuth(c *link.Config) { c.Auth = false }

func takesByCookie(c *link.Config) { c.CookieOnly = func(name.Node) bool { return true } }

func all(edits ...edit) edit {
	return func(c *link.Config) {
		for _, e := range edits {
			e(c)
		}
	}
}

func TestWhoLinksWithWhom(t *testing.T) {
	other := func(c *link.Config) { c.Cluster = "other" }
	for what, tt := range map[string]struct {
		a, b  edit
		fails error
		proof handshake.Proof
	}{
		"same cookie":            {cookie("s"), cookie("s"), nil, handshake.Signed},
		"other cookie":           {cookie("s"), cookie("t"), handshake.ErrCookie, 0},
		"cookie on one side":     {cookie("s"), all(), handshake.ErrCookie, 0},
		"other cluster":          {other, all(), handshake.ErrCluster, 0},
		"cookie only, both":      {all(cookie("s"), takesByCookie), all(cookie("s"), takesByCookie), nil, handshake.CookieOnly},
		"cookie only, one":       {all(cookie("s"), takesByCookie), cookie("s"), nil, handshake.Signed},
		"cookie only, wrong":     {all(cookie("s"), takesByCookie), all(cookie("t"), takesByCookie), handshake.ErrCookie, 0},
		"auth off":               {noAuth, noAuth, nil, handshake.None},
		"auth off with cookie":   {all(noAuth, cookie("s")), all(noAuth, cookie("s")), nil, handshake.None},
		"auth off, wrong cookie": {all(noAuth, cookie("s")), all(noAuth, cookie("t")), handshake.ErrCookie, 0},
		"auth off on one side":   {noAuth, all(), handshake.ErrAuthMode, 0},
		"clocks apart":           {func(c *link.Config) { c.ClockSkew = time.Minute }, all(), nil, handshake.Signed},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a, b := w.node("a@h", tt.a), w.node("b@h", tt.b)
				err := a.Connect(t.Context(), b.name, nil)
				synctest.Wait()
				if tt.fails != nil {
					refusedBothSides(t, a, b, err, tt.fails)
					return
				}
				must(t, err)
				peer, ok := b.Peer(a.name)
				if !ok || peer.Proof != tt.proof {
					t.Errorf("b has a by %v (%v), want %v", peer.Proof, ok, tt.proof)
				}
			})
		})
	}
}

func refusedBothSides(t *testing.T, a, b *host, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("a learned %v, want %v", err, kind)
	}
	for _, h := range []*host{a, b} {
		if len(lines(h, "refused")) != 1 || len(lines(h, "up")) > 0 {
			t.Errorf("%s heard %q, want one refusal", h.name, h.events.all())
		}
	}
}

func TestARelayIsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		relay := w.transportAt(name.MustNode("relay@h"), "")
		w.publish(b.name, relay.Addresses()...)
		go glue(relay, b.transport.Addresses()[0])
		err := a.Connect(t.Context(), b.name, nil)
		if !errors.Is(err, handshake.ErrProof) {
			t.Errorf("Connect through a relay: %v, want that the proof does not hold for this connection", err)
		}
		time.Sleep(time.Second)
		if len(lines(a, "up"))+len(lines(b, "up")) > 0 {
			t.Error("a link came up through a relay")
		}
		if got := lines(b, "refused"); len(got) != 1 {
			t.Errorf("b heard %q, want one refusal", got)
		}
	})
}

// glue joins the first stream of a connection that comes in to that of one it dials.
func glue(relay transport.Plugin, to name.Address) {
	ctx, cancel := contextFor(time.Minute)
	defer cancel()
	in, err := relay.Accept(ctx)
	if err != nil {
		return
	}
	out, err := relay.Dial(ctx, to)
	if err != nil {
		return
	}
	from, err1 := in.AcceptStream(ctx)
	onto, err2 := out.OpenStream(ctx)
	if err1 != nil || err2 != nil {
		return
	}
	go func() { _, _ = io.Copy(from, onto); _ = from.CloseWrite() }()
	_, _ = io.Copy(onto, from)
	_ = onto.CloseWrite()
	<-in.Context().Done()
	_ = out.Close(transport.CloseNone, "")
}

func TestARefusalArrivesTypedEvenIfTheCloseIsFaster(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.node("a@h")
		node := name.MustNode("b@h")
		hasty := w.transportAt(node, "")
		w.publish(node, hasty.Addresses()...)
		go func() {
			ctx, cancel := contextFor(time.Minute)
			defer cancel()
			if conn, err := hasty.Accept(ctx); err == nil {
				_ = conn.Close(transport.CloseRefused, "15: ask the operator of b")
			}
		}()
		err := a.Connect(t.Context(), node, nil)
		if !errors.Is(err, trust.ErrUntrusted) || !strings.Contains(err.Error(), "ask the operator of b") {
			t.Errorf("Connect: %v, want the refusal with its kind and text", err)
		}
	})
}

func TestAChangedKeyIsRefusedOnBothSides(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		pinned := decider(func(c trust.Claim) error {
			return errors.Join(errors.New("pinned another key"), trust.ErrKeyMismatch)
		})
		a, b := w.node("a@h"), w.node("b@h", func(c *link.Config) { c.Trust = pinned })
		refusedBothSides(t, a, b, connectAndWait(t, a, b), trust.ErrKeyMismatch)
	})
	inWorld(t, func(t *testing.T, w *world) {
		pinned := decider(func(c trust.Claim) error { return trust.ErrKeyMismatch })
		a, b := w.node("a@h", func(c *link.Config) { c.Trust = pinned }), w.node("b@h")
		refusedBothSides(t, a, b, connectAndWait(t, a, b), trust.ErrKeyMismatch)
	})
}

func connectAndWait(t *testing.T, a, b *host) error {
	t.Helper()
	err := a.Connect(t.Context(), b.name, nil)
	synctest.Wait()
	return err
}
