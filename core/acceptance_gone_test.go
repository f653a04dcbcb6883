package core_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
	transportquic "github.com/barrelp2p/barrel/plugins/transport-quic"
)

// A node that is gone without a word stops being a neighbour, and is suspect, within
// 4s, and is down when nobody has reached it for a while.
func TestAKilledNodeIsNoticed(t *testing.T) {
	t.Parallel()
	for at := range 5 { // anywhere between two heartbeats
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a := w.boot(named(seed1) + table)
			b := w.boot(named(seed2) + contacts + table)
			eventually(t, "they know each other", knowEachOther(a, b))
			time.Sleep(time.Minute + time.Duration(at)*230*time.Millisecond)
			seen := record(t, a)
			w.ether.kill("10.0.0.2")
			noticed := since(t, "noticed", func() bool { return stateAt(a, b.Name()) == membership.Suspect })
			if noticed < 2*time.Second || noticed > 4*time.Second {
				t.Errorf("noticed after %v, want it within 4s, and not while the peer may only be slow", noticed)
			}
			seen.first("member", "suspect")
			e := seen.first("peer", "down")
			if e.Node != b.Name() || !slices.Equal(seen.story(), []string{
				"link down " + seed2, "peer down " + seed2, "node isolated " + seed1, "member suspect " + seed2,
			}) {
				t.Errorf("told: %v", seen.story())
			}
			down := since(t, "down", func() bool { return stateAt(a, b.Name()) == membership.Down })
			t.Logf("suspect after %v, down %v later, reason %q", noticed, down, e.Reason)
		})
	}
}

// A call that waits for a node when it dies fails as soon as that is known.
func TestCallsOfADyingNodeEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.boot(named(seed1) + table)
		b := w.boot(named(seed2) + contacts + table)
		eventually(t, "they know each other", knowEachOther(a, b))
		offer(t, b, "wait", func(ctx context.Context, _ core.Message) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		result := make(chan error, 1)
		go func() {
			_, err := a.Call(t.Context(), "wait@"+seed2, nil) // no deadline of its own
			result <- err
		}()
		time.Sleep(time.Second)
		w.ether.kill("10.0.0.2")
		began := time.Now()
		err := <-result
		if took := time.Since(began); !isKind(err, core.ErrNoConnection) || took > 4*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Whoever leaves says so: it is gone within 1s, as one that left, and nobody takes it for
// a failure.
func TestALeavingNodeIsNoFailure(t *testing.T) {
	t.Parallel()
	for what, leave := range map[string]func(*testing.T, *core.Node){
		"leave": func(t *testing.T, n *core.Node) {
			if err := n.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"stop": stop,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.boot(named(seed1) + table)
				b := w.boot(named(seed2) + contacts + table)
				eventually(t, "they know each other", knowEachOther(a, b))
				seen := record(t, a)
				began := time.Now()
				leave(t, b)
				eventually(t, "left", func() bool { return stateAt(a, b.Name()) == membership.Left })
				if took := time.Since(began); took > time.Second {
					t.Errorf("known after %v, want it within 1s", took)
				}
				time.Sleep(30 * time.Second) // it stays that way, and stays out
				if got := stateAt(a, b.Name()); got != membership.Left {
					t.Errorf("later it is %s", got)
				}
				for _, told := range seen.story() {
					if strings.HasPrefix(told, "member suspect") || strings.HasPrefix(told, "member down") || strings.HasPrefix(told, "member up") {
						t.Errorf("told %q of a node that left", told)
					}
				}
			})
		})
	}
}

// mute is a socket that can be cut off: nothing goes out or comes in any more.
type mute struct {
	net.PacketConn
	dead *atomic.Bool
}

func (m mute) WriteTo(p []byte, to net.Addr) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.PacketConn.WriteTo(p, to)
}

func (m mute) ReadFrom(p []byte) (n int, from net.Addr, err error) {
	for {
		n, from, err = m.PacketConn.ReadFrom(p)
		if err != nil || !m.dead.Load() {
			return n, from, err
		}
	}
}

// Sizes of buffers are nobody's concern here; quic-go asks for them.
func (mute) SetReadBuffer(int) error  { return nil }
func (mute) SetWriteBuffer(int) error { return nil }

// mortal makes a node that can be killed: what it does afterwards reaches nobody.
func (l *lab) mortal(cfg *config.Config, opts ...core.Option) (n *core.Node, kill func()) {
	l.t.Helper()
	dead := &atomic.Bool{}
	settings := cfg.Settings(plugin.Transport, "quic").(*transportquic.Settings)
	mortal := core.WithTransport("quic", func(env transport.Env) (transport.Plugin, error) {
		return transportquic.NewOn(env, settings, func(ctx context.Context) (net.PacketConn, error) {
			var listen net.ListenConfig
			socket, err := listen.ListenPacket(ctx, "udp", settings.Listen)
			return mute{socket, dead}, err
		})
	})
	return l.run(l.make(cfg, append(opts, mortal)...)), func() { dead.Store(true) }
}

// The same on real sockets. How long it takes is told, and bounded generously.
func TestGoneOverLoopback(t *testing.T) {
	t.Parallel()
	f := newField(t)
	a := f.start("a@127.0.0.1")
	killed, kill := f.mortal(f.load("killed@127.0.0.1", t.TempDir()))
	leaver := f.start("leaver@127.0.0.1")
	f.join(killed, a)
	f.join(leaver, a)
	began := time.Now()
	stop(t, leaver)
	eventually(t, "left", func() bool { return stateAt(a, leaver.Name()) == membership.Left })
	within(t, "leaving", began, patience)
	kill()
	began = time.Now()
	eventually(t, "suspect", func() bool { return stateAt(a, killed.Name()) == membership.Suspect })
	within(t, "noticing a death", began, patience)
}

// What is published of a node says where it is only while it is there.
func TestWhatIsPublished(t *testing.T) {
	t.Parallel()
	f := newField(t)
	n := f.start("a@127.0.0.1")
	found := func() string { return fmt.Sprint(endpointFiles(t, f.folder)) }
	if want := "[a@127.0.0.1.endpoint]"; found() != want {
		t.Errorf("published: %s, want %s", found(), want)
	}
	if err := n.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found() != "[]" {
		t.Errorf("after leaving: %s", found())
	}
	f.join(n, f.start("b@127.0.0.1"))
	if want := "[a@127.0.0.1.endpoint b@127.0.0.1.endpoint]"; found() != want {
		t.Errorf("after joining again: %s, want %s", found(), want)
	}
	stop(t, n)
	if want := "[b@127.0.0.1.endpoint]"; found() != want {
		t.Errorf("after stopping: %s, want %s", found(), want)
	}
}
