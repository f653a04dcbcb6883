package core_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/machine/handshake"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// relay stands between a node and whoever dials it: it ends TLS on both sides, with
// certificates of its own, and passes everything on as it is.
type relay struct {
	*endpoint
	to      *core.Node
	carried sync.WaitGroup
}

// newRelay starts a relay to a node and returns where it listens.
func newRelay(t *testing.T, to *core.Node) (address string) {
	t.Helper()
	r := &relay{endpoint: newEndpoint(t, "127.0.0.1"), to: to}
	listener, err := r.quic.Listen(r.tls, quicConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.carried.Go(func() {
		for {
			from, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			r.carried.Go(func() { r.carry(ctx, from) })
		}
	})
	t.Cleanup(func() { cancel(); _ = listener.Close(); _ = r.quic.Close(); r.carried.Wait() })
	return listener.Addr().String()
}

// carry joins a connection to one of its own. A side that closes closes the other with
// the same words.
func (r *relay) carry(ctx context.Context, from *quic.Conn) {
	onward, err := r.quic.Dial(ctx, addressOf(r.t, r.to), r.tls, quicConfig())
	if err != nil {
		_ = from.CloseWithError(0, err.Error())
		return
	}
	for _, way := range [][2]*quic.Conn{{from, onward}, {onward, from}} {
		r.carried.Go(func() { r.streams(way[0], way[1]) })
		context.AfterFunc(way[0].Context(), func() { closeLike(way[1], context.Cause(way[0].Context())) })
	}
}

func closeLike(c *quic.Conn, why error) {
	var said *quic.ApplicationError
	if isAs(why, &said) {
		_ = c.CloseWithError(said.ErrorCode, said.ErrorMessage)
	}
	_ = c.CloseWithError(0, "the other side is gone")
}

func (r *relay) streams(from, to *quic.Conn) {
	for {
		s, err := from.AcceptStream(from.Context())
		if err != nil {
			return
		}
		onward, err := to.OpenStreamSync(to.Context())
		if err != nil {
			return
		}
		r.carried.Go(func() { copyStream(onward, s) })
		r.carried.Go(func() { copyStream(s, onward) })
	}
}

func copyStream(to, from *quic.Stream) {
	_, _ = io.Copy(to, from) // either end may break off
	_ = to.Close()
}

// A relay sees names, keys and proofs go by and cannot use any of them: what is signed
// holds for one connection only.
func TestARelayIsRefused(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a := f.start("a@127.0.0.1", "discovery.use=static")
	entry := "discovery.static.nodes.a@127.0.0.1=" + newRelay(t, a)
	b := f.start("b@127.0.0.1", "discovery.use=static", entry)
	atA, atB := record(t, a), record(t, b)
	if err := refused(t, b, a); !isKind(err, handshake.ErrProof) {
		t.Errorf("join through a relay: %v, want the proof refused", err)
	}
	for _, side := range []struct {
		of     *core.Node
		events *tape
		peer   *core.Node
	}{{a, atA, b}, {b, atB, a}} {
		e := side.events.first("trust", "refused")
		if e.Node != side.peer.Name() || !strings.Contains(e.Reason, "proof") || !strings.Contains(e.Reason, "connect them directly") {
			t.Errorf("%s was told %q about %s", side.of.Name(), e.Reason, e.Node)
		}
		nobodyBesides(t, side.of, side.events)
	}
	// Without the relay they get along: nothing of it has stuck.
	f.join(f.start("c@127.0.0.1", "discovery.use=static", "discovery.static.nodes.a@127.0.0.1="+a.Addresses()[0].String()), a)
}

// The same where no keys are proved but a cookie is: it must not be possible to pass
// that on either.
func TestARelayIsRefusedByCookie(t *testing.T) {
	t.Parallel()
	for what, sets := range map[string][]string{
		"cookie only": {"auth.cookie=a long shared secret", "auth.cookie_only=*@127.0.0.1"},
		"auth off":    {"auth.cookie=a long shared secret", "auth.enabled=false"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			f.sets = append(f.sets, sets...)
			a := f.start("a@127.0.0.1")
			entry := "discovery.static.nodes.a@127.0.0.1=" + newRelay(t, a)
			b := f.start("b@127.0.0.1", "discovery.use=static", entry)
			if _, err := b.Ping(t.Context(), a.Name()); !isKind(err, handshake.ErrCookie) {
				t.Errorf("through a relay: %v, want the cookie refused", err)
			}
		})
	}
}

// nobodyBesides checks that a node has no link, no member and no pin but itself.
func nobodyBesides(t *testing.T, n *core.Node, events *tape) {
	t.Helper()
	if up := events.all("link", "up"); len(up) > 0 || len(adminOf(t, n).Links()) > 0 {
		t.Errorf("%s had links: %v", n.Name(), up)
	}
	if len(n.Members()) != 1 || members(n, membership.Alive) != 1 {
		t.Errorf("%s has members: %v", n.Name(), n.Members())
	}
	pins, err := adminOf(t, n).Pins()
	if err != nil || len(pins) > 0 {
		t.Errorf("%s has pins: %v, %v", n.Name(), pins, err)
	}
}
