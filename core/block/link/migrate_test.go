package link_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// movable is a transport whose connections answer Migrate as a test says.
type movable struct {
	transport.Plugin
	migrate func(context.Context, transport.Conn) error
}

type movableConn struct {
	transport.Conn
	migrate func(context.Context, transport.Conn) error
}

func (m movable) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	c, err := m.Plugin.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return movableConn{c, m.migrate}, nil
}

func (c movableConn) Migrate(ctx context.Context) error { return c.migrate(ctx, c.Conn) }

// Every error of Migrate is one that callers can decide on, and whatever it is, a link that
// there is goes on.
func TestTheErrorsOfMigrate(t *testing.T) {
	noSocket := errors.New("too many open files")
	answer := func(err error) func(context.Context, transport.Conn) error {
		return func(context.Context, transport.Conn) error { return err }
	}
	silence := func(ctx context.Context, _ transport.Conn) error { <-ctx.Done(); return ctx.Err() }
	end := func(_ context.Context, c transport.Conn) error {
		return errors.Join(io.ErrUnexpectedEOF, c.Close(transport.CloseNone, "ends meanwhile"))
	}
	for what, one := range map[string]struct {
		migrate func(context.Context, transport.Conn) error // of the end that dialed; nil: the other end moves the link
		wants   []error
		down    bool
	}{
		"the path does not answer": {silence, []error{link.ErrPathDead, context.DeadlineExceeded}, false},
		"no address to go to":      {answer(noSocket), []error{link.ErrPathDead, noSocket}, false},
		"the peer does not allow":  {answer(transport.ErrFixed), []error{link.ErrFixed}, false},
		"the link ends":            {end, []error{link.ErrNoLink}, true},
		"nobody can be dialed":     {nil, []error{link.ErrPathDead, transport.ErrUnreachable}, false},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.node("b@h")
				a := w.node("a@h", func(c *link.Config) { c.Transport = movable{w.transportAt(c.Node, ""), one.migrate} })
				a.connect(t, b)
				from, to := a, b
				if one.migrate == nil {
					from, to = b, a
					w.network.Refuse(b.name, a.name)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := from.Migrate(ctx, to.name)
				for _, want := range one.wants {
					if !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				}
				for _, other := range []error{link.ErrFixed, link.ErrPathDead, link.ErrNoLink} {
					if !errors.Is(one.wants[0], other) && errors.Is(err, other) {
						t.Errorf("%v is %v too", err, other)
					}
				}
				if one.down {
					return
				}
				must(t, from.Send(to.name, link.Membership, []byte("still")))
				synctest.Wait()
				if got := lines(to, "frame"); len(got) != 1 || len(lines(a, "down"))+len(lines(b, "down")) > 0 {
					t.Errorf("%s heard %q, %s %q", a.name, a.events.all(), b.name, b.events.all())
				}
			})
		})
	}
}

// The errors of Migrate where the transport has no part in them.
func TestWhatCannotBeMoved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		if _, err := a.Migrate(t.Context(), b.name); !errors.Is(err, link.ErrNoLink) {
			t.Errorf("without a link: %v", err)
		}
		a.connect(t, b)
		if _, err := a.Migrate(t.Context(), b.name); !errors.Is(err, link.ErrFixed) {
			t.Errorf("over a transport that moves nothing: %v", err)
		}
		must(t, b.Stop(t.Context()))
		synctest.Wait()
		if _, err := b.Migrate(t.Context(), a.name); !errors.Is(err, link.ErrNoLink) {
			t.Errorf("when the block has stopped: %v", err)
		}
	})
}
