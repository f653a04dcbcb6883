package link_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// watched is a transport that tells of the heartbeats of this node, and whose
// connections can be slow.
type watched struct {
	transport.Plugin
	mu    sync.Mutex
	beats map[name.Address][]time.Time // by peer
	stuck map[name.Address]bool        // peers whose heartbeats find no room
	pause time.Duration                // of the next look at a connection
	seen  name.Address                 // where peers are, if not where they were dialed
}

// watchedNode starts a node on a watched transport.
func (w *world) watchedNode(text string) (*host, *watched) {
	w.t.Helper()
	own := &watched{
		Plugin: w.transportAt(name.MustNode(text), ""),
		beats:  map[name.Address][]time.Time{}, stuck: map[name.Address]bool{},
	}
	return w.node(text, func(c *link.Config) { c.Transport = own }), own
}

func (w *watched) Dial(ctx context.Context, addr name.Address) (transport.Conn, error) {
	c, err := w.Plugin.Dial(ctx, addr)
	return &watchedConn{c, w}, err
}

func (w *watched) hold(h *host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stuck[h.transport.Addresses()[0]] = true
}

// sent is when heartbeats were sent to a peer.
func (w *watched) sent(to *host) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.beats[to.transport.Addresses()[0]])
}

func (w *watched) sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pause = d
}

type watchedConn struct {
	transport.Conn
	w *watched
}

func (c *watchedConn) SendDatagram(data []byte) error {
	c.w.mu.Lock()
	peer := c.Conn.Info().Remote
	stuck := c.w.stuck[peer]
	c.w.beats[peer] = append(c.w.beats[peer], time.Now())
	c.w.mu.Unlock()
	if stuck {
		<-c.Context().Done()
	}
	return c.Conn.SendDatagram(data)
}

func (c *watchedConn) Info() transport.Info {
	c.w.mu.Lock()
	pause, seen := c.w.pause, c.w.seen
	c.w.pause = 0
	c.w.mu.Unlock()
	time.Sleep(pause) // virtual: the whole watch stands still
	info := c.Conn.Info()
	if !seen.IsZero() {
		info.Remote = seen
	}
	return info
}

func TestHeartbeatsBeginAtOnceAndKeepTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, own := w.watchedNode("a@h")
		b := w.node("b@h")
		time.Sleep(123 * time.Millisecond) // out of step with the watch
		a.connect(t, b)
		begin := time.Now()
		time.Sleep(time.Minute)
		beats, every := own.sent(b), a.transport.Liveness().Heartbeat
		if len(beats) < 60 || beats[0].Sub(begin) != 0 {
			t.Fatalf("%d heartbeats in a minute from %v on, the first at %v; want 60, from then on", len(beats), begin, beats[0])
		}
		for i, at := range beats[1:] {
			if gap := at.Sub(beats[i]); gap > every+every/8 || i > 0 && gap != every {
				t.Errorf("heartbeat %d after %v, want every %v", i+1, gap, every)
			}
		}
	})
}

func TestALinkThatTakesNoHeartbeatsDoesNotSilenceTheOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, own := w.watchedNode("a@h")
		stuck, sound := w.node("b@h"), w.node("c@h")
		own.hold(stuck)
		a.connect(t, stuck)
		a.connect(t, sound)
		time.Sleep(time.Minute)
		want(t, sound, "up a@h 1")
		if n := len(own.sent(sound)); n < 60 {
			t.Errorf("%d heartbeats to a peer in a minute, beside one whose heartbeats find no room", n)
		}
		if n := len(own.sent(stuck)); n != 1 {
			t.Errorf("%d heartbeats wait for room at a time, want 1", n)
		}
	})
}

// TestAPeerThatMovesIsSeenElsewhere: once for each place, with the link still up.
func TestAPeerThatMovesIsSeenElsewhere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, own := w.watchedNode("a@h")
		b := w.node("b@h")
		a.connect(t, b)
		time.Sleep(time.Minute)
		want(t, a, "up b@h 1")
		own.mu.Lock()
		own.seen = name.MustAddress("192.0.2.7:9")
		own.mu.Unlock()
		time.Sleep(time.Minute)
		want(t, a, "up b@h 1", "moved b@h 192.0.2.7:9")
	})
}

func TestANodeThatSleptForgivesItsPeers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, own := w.watchedNode("a@h")
		b := w.node("b@h")
		a.connect(t, b)
		limits := a.transport.Liveness()
		w.network.Cut(a.name, b.name)
		own.sleep(limits.Idle)
		time.Sleep(2*limits.Idle - limits.Heartbeat/2)
		want(t, a, "up b@h 1")
		time.Sleep(limits.Heartbeat * 3 / 2)
		synctest.Wait()
		want(t, a, "up b@h 1", "down b@h silent")
	})
}
