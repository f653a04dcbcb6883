package plumtree

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func TestFirstCopyIsPassedOnAndTheSecondPrunes(t *testing.T) {
	b := newBench(t, Defaults(), 2, 3, 4)
	b.hear(2, message(9, 1))
	if got := b.said(Gossip); !slices.Equal(got, []overlay.Peer{3, 4}) || b.delivered() != 1 {
		t.Errorf("passed on to %v, delivered %d", got, b.delivered())
	}
	b.hear(3, message(9, 1))
	if got := b.said(Prune); !slices.Equal(got, []overlay.Peer{3}) || b.delivered() != 0 {
		t.Errorf("pruned %v, delivered %d", got, b.delivered())
	}
	if got := b.m.Eager(); !slices.Equal(got, []overlay.Peer{2, 4}) {
		t.Errorf("edges to %v", got)
	}
}

// Two messages that cross must not have a node cut itself off.
func TestTwoMessagesAtOnceLeaveAnEdge(t *testing.T) {
	b := newBench(t, Defaults(), 2, 3)
	b.hear(2, message(8, 1))
	b.hear(3, message(9, 1))
	b.hear(3, message(8, 1))
	b.hear(2, message(9, 1))
	if got := b.m.Eager(); !slices.Equal(got, []overlay.Peer{2}) {
		t.Errorf("edges to %v", got)
	}
}

func TestEachAnnouncerIsAskedInTurn(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg, 2, 3)
	id := ID{9, 1, 1}
	b.hear(2, announcing(id))
	b.hear(3, announcing(id))
	var asked []overlay.Peer
	b.wait(cfg.GraftAfter)
	asked = append(asked, b.said(Graft)...)
	for range 2 {
		b.wait(cfg.GraftNext)
		asked = append(asked, b.said(Graft)...)
	}
	if !slices.Equal(asked, []overlay.Peer{2, 3, 2}) {
		t.Errorf("asked %v", asked)
	}
	b.hear(2, Message{Kind: Gone, Eager: true, List: []Announce{{id, 1}}})
	if got := b.said(Graft); !slices.Equal(got, []overlay.Peer{3}) {
		t.Errorf("after GONE asked %v", got)
	}
	b.hear(3, message(9, 1))
	if s := b.m.Stats(); s.Missing != 0 || s.Missed != 0 || b.delivered() != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWhatNobodyHasIsCounted(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg, 2)
	b.hear(2, announcing(ID{9, 1, 1}))
	b.hear(2, Message{Kind: Gone, List: []Announce{{ID{9, 1, 1}, 1}}})
	if s := b.m.Stats(); s.Missing != 0 || s.Missed != 1 {
		t.Errorf("%+v", s)
	}
}

func TestALostAnnouncerIsReplacedAtOnce(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg, 2, 3)
	b.hear(2, announcing(ID{9, 1, 1}))
	b.hear(3, announcing(ID{9, 1, 1}))
	b.wait(cfg.GraftAfter)
	b.down(2)
	if got := b.said(Graft); !slices.Equal(got, []overlay.Peer{3}) {
		t.Errorf("asked %v", got)
	}
}

// A PRUNE got lost: the next payload that comes twice brings both ends together again.
func TestALostPruneIsRepeated(t *testing.T) {
	b := newBench(t, Defaults(), 2, 3)
	for seq := uint64(1); seq <= 3; seq++ {
		b.hear(2, message(9, seq))
		b.hear(3, message(9, seq)) // as before: it has not heard
		if got := b.said(Prune); len(got) != 1 || got[0] != 3 {
			t.Errorf("message %d: pruned %v", seq, got)
		}
		b.wait(time.Second)
	}
}

func TestASlowPeerGetsAnnouncements(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg, 2, 3)
	b.do(overlay.Command{Op: overlay.OpSlow, Peer: 2})
	if got := b.said(Prune); !slices.Equal(got, []overlay.Peer{2}) {
		t.Errorf("told %v", got)
	}
	b.do(overlay.Command{Op: overlay.OpBroadcast, Data: []byte("x")})
	if got := b.said(Gossip); !slices.Equal(got, []overlay.Peer{3}) {
		t.Errorf("payload to %v", got)
	}
	b.hear(2, Message{Kind: Graft, Eager: true, Version: 9, List: []Announce{{ID{1, 1, 1}, 1}}})
	if got := b.said(Gossip); !slices.Equal(got, []overlay.Peer{2}) || slices.Contains(b.m.Eager(), 2) {
		t.Errorf("what it asks for goes to %v, edges %v", got, b.m.Eager())
	}
	b.wait(cfg.LazyAfter)
	if got := b.said(IHave); !slices.Equal(got, []overlay.Peer{2}) {
		t.Errorf("announced to %v", got)
	}
}

func TestWhatCouldNotBeSentIsAnnounced(t *testing.T) {
	b := newBench(t, Defaults(), 2)
	b.do(overlay.Command{Op: overlay.OpBroadcast, Data: []byte("x")})
	refused := b.out.Sends[0].Msg
	b.out.Reset()
	b.m.Unsent(b.now, 2, &refused, &b.out)
	if s := b.m.Stats(); s.Turned != 1 || s.Demoted != 1 || s.Queued != 1 || s.Shed != 0 {
		t.Errorf("%+v", s)
	}
	b.wait(Defaults().LazyAfter)
	if got := b.said(IHave); len(got) != 1 {
		t.Fatalf("announced to %v", got)
	}
	refused = b.out.Sends[0].Msg
	b.out.Reset()
	b.m.Unsent(b.now, 2, &refused, &b.out) // not even that
	b.wait(time.Second)
	if got := b.said(IHave); len(got) != 0 {
		t.Errorf("announced to %v without room", got)
	}
	b.do(overlay.Command{Op: overlay.OpFast, Peer: 2})
	if got := b.said(IHave); len(got) != 1 {
		t.Errorf("announced to %v", got)
	}
}

func TestOversizeIsRefused(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg, 2)
	big := make([]byte, cfg.MaxPayload+1)
	b.do(overlay.Command{Op: overlay.OpBroadcast, Data: big})
	m := message(9, 1)
	m.Data = big
	b.hear(2, m)
	if s := b.m.Stats(); s.Oversize != 2 || s.Delivered+s.Broadcasts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestANewNeighbourHearsOfRecentMessages(t *testing.T) {
	cfg := Defaults()
	b := newBench(t, cfg)
	b.do(overlay.Command{Op: overlay.OpBroadcast, Data: []byte("old")})
	b.wait(cfg.Recent + time.Second)
	b.do(overlay.Command{Op: overlay.OpBroadcast, Data: []byte("new")})
	b.up(2)
	if len(b.out.Sends) != 1 || len(b.out.Sends[0].Msg.List) != 1 || b.out.Sends[0].Msg.List[0].ID.Seq != 2 {
		t.Errorf("%+v", b.out.Sends)
	}
}

func TestAStrangerIsNoEdge(t *testing.T) {
	b := newBench(t, Defaults(), 2)
	b.hear(7, message(9, 1))
	if b.delivered() != 1 || slices.Contains(b.m.Eager(), 7) {
		t.Errorf("delivered %d, edges %v", b.delivered(), b.m.Eager())
	}
	b.hear(7, message(9, 1))
	if got := b.said(Prune); !slices.Equal(got, []overlay.Peer{7}) {
		t.Errorf("pruned %v", got)
	}
}

// PLM-8: a thousand broadcasts a second for ten minutes, and as many announcements of
// what never comes.
func TestMemoryIsBounded(t *testing.T) {
	cfg := Defaults()
	cfg.CacheBytes, cfg.MaxMissing, cfg.MaxQueue = 1<<20, 500, 300
	m, now := New(cfg, 1, 1), overlay.Time(0)
	var out overlay.Effects[Message]
	feed := func(in overlay.Input[Message]) {
		out.Reset()
		m.Step(now, &in, &out)
	}
	for p := overlay.Peer(2); p <= 5; p++ {
		feed(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: p})
	}
	refused := announcing(ID{1, 1, 1})
	m.Unsent(now, 5, &refused, &out)
	data, most := make([]byte, 1000), Stats{}
	for i := range uint64(600_000) {
		now += time.Millisecond
		msg := message(i%50, i/50+1)
		msg.Data = data
		feed(overlay.Input[Message]{Kind: overlay.InMsg, Peer: 2, Msg: msg})
		feed(overlay.Input[Message]{Kind: overlay.InMsg, Peer: 3, Msg: announcing(ID{i % 70000, 2, i})})
		if i%1000 == 0 {
			s := m.Stats()
			most.Bytes, most.Missing, most.Queued, most.Origins = max(most.Bytes, s.Bytes), max(most.Missing, s.Missing), max(most.Queued, s.Queued), max(most.Origins, s.Origins)
		}
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	if most.Bytes > cfg.CacheBytes || most.Missing > 2*cfg.MaxMissing || most.Queued > 2*cfg.MaxQueue || most.Origins > cfg.MaxOrigins {
		t.Errorf("at most: %+v", most)
	}
	if s := m.Stats(); s.Delivered != 600_000 || s.Shed == 0 || s.Evicted == 0 {
		t.Errorf("%+v", s)
	}
	now += cfg.CacheAge + cfg.CacheAge/sweeps
	feed(overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Plumtree, Gen: m.gen}})
	if s := m.Stats(); s.Cached != 0 {
		t.Errorf("%d messages outlive the age of the cache", s.Cached)
	}
}

// Windows against a set: in any order within the span nothing is lost or seen twice.
func TestWindowsAgainstASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	s, known := newSeen(4), map[ID]bool{}
	for i := range uint64(200_000) {
		id := ID{Origin: rng.Uint64N(3), Life: 1 + rng.Uint64N(2), Seq: 1 + i/10 + rng.Uint64N(span/2)}
		if got := s.add(id); got == known[id] {
			t.Fatalf("step %d: %+v is new: %t", i, id, got)
		}
		known[id] = true
		if !s.has(id) {
			t.Fatalf("step %d: %+v is not remembered", i, id)
		}
	}
}

// A number from the far future does not hide the next ones, nor does a life.
func TestForgedNumbersHideNothing(t *testing.T) {
	s := newSeen(4)
	for seq := uint64(1); seq < 5000; seq++ {
		if seq%100 == 0 {
			s.add(ID{1, 1, 1<<60 + seq})
			s.add(ID{1, 1 << 52, seq})
		}
		if !s.add(ID{1, 1, seq}) {
			t.Fatalf("%d is taken for seen", seq)
		}
		if s.add(ID{1, 1, seq}) {
			t.Fatalf("%d is taken for new", seq)
		}
	}
}

// TestAJumpPastAllHoles: a number so far ahead that everything remembered in between falls
// out is as good as any other.
func TestAJumpPastAllHoles(t *testing.T) {
	for _, jump := range []uint64{span - 1, span, span + 1, span + 2, 2*span - 1} {
		for hole := range uint64(3) {
			w := window{low: 1}
			w.add(1 + hole)
			next := w.low + jump
			w.add(next)
			if !w.has(next) || w.has(next+1) {
				t.Errorf("after %d and %d: has the last %t, the next %t", 1+hole, next, w.has(next), w.has(next+1))
			}
			w.add(next + 1)
			if !w.has(next + 1) {
				t.Errorf("after %d, %d and %d: the last is missing", 1+hole, next, next+1)
			}
		}
	}
}
