package hyparview

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// victim is a machine with five neighbours, 2 to 6, and what it asked for last.
type victim struct {
	*Machine
	t   *testing.T
	now overlay.Time
	out overlay.Effects[Message]
}

func newVictim(t *testing.T) *victim {
	v := &victim{Machine: New(1, 1, Default(), rand.New(rand.NewPCG(1, 1))), t: t}
	for p := overlay.Peer(2); p <= 6; p++ {
		v.hear(p, Message{Kind: Neighbor})
	}
	return v
}

func (v *victim) hear(from overlay.Peer, msg Message) {
	v.t.Helper()
	v.out.Reset()
	v.now += time.Millisecond
	v.Step(v.now, &overlay.Input[Message]{Kind: overlay.InMsg, Peer: from, Inc: 1, Msg: msg}, &v.out)
	if err := v.Check(); err != nil {
		v.t.Fatal(err)
	}
}

func ids(first overlay.Peer) (msg Message) {
	for i := range overlay.Peer(MaxIDs) {
		msg.add(first + i)
	}
	return msg
}

// A neighbour that sends walks without end cannot have the node dial without end.
func TestFloodOfWalks(t *testing.T) {
	v, dials := newVictim(t), 0
	for p := range overlay.Peer(10000) {
		v.hear(2, Message{Kind: ForwardJoin, Subject: 100 + p})
		dials += len(v.out.Dials)
	}
	if dials > maxAsks {
		t.Errorf("%d dials", dials)
	}
}

// What a member can force is one place, and it cannot drive others out by coming and
// going.
func TestOneForcedPlace(t *testing.T) {
	v, evicted := newVictim(t), 0
	for range 1000 {
		for _, kind := range []Message{{Kind: Neighbor, Flags: High}, {Kind: Join}, {Kind: Disconnect}} {
			v.hear(9, kind)
			for _, e := range v.out.Events {
				if e.Kind == overlay.PeerDown && e.Peer != 9 {
					evicted++
				}
			}
		}
	}
	if evicted > 1 {
		t.Errorf("%d neighbours driven out within three seconds", evicted)
	}
}

// A neighbour that goes again and again, each time for somebody else who does not exist, has the node dial
// once a second, and costs nobody a place.
func TestInventedHeirs(t *testing.T) {
	v, dials := newVictim(t), 0
	v.hear(2, Message{Kind: Disconnect})
	for p := range overlay.Peer(10000) {
		v.hear(9, Message{Kind: Neighbor})
		v.hear(9, Message{Kind: Disconnect, Subject: 100 + p})
		for _, dialed := range slices.Clone(v.out.Dials) {
			dials++
			v.Step(v.now, &overlay.Input[Message]{Kind: overlay.InDialFailed, Peer: dialed, Reason: overlay.Lost}, &v.out)
		}
	}
	if seconds := int(v.now / time.Second); dials > seconds+1 || len(v.active) < 4 {
		t.Errorf("%d dials in %d seconds, %d neighbours", dials, seconds, len(v.active))
	}
}

// Ids that nobody asked for change nothing, and those that were asked for once.
func TestPoisonedReserve(t *testing.T) {
	v := newVictim(t)
	before := v.Passive(nil)
	poison := ids(1000)
	poison.Kind = ShuffleReply
	v.hear(2, poison)
	v.hear(77, poison)
	if !slices.Equal(before, v.Passive(nil)) {
		t.Errorf("unasked ids were taken: %v", v.Passive(nil))
	}
	v.Step(v.now, &overlay.Input[Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpTick}}, &v.out)
	v.hear(77, poison)
	poison = ids(2000)
	poison.Kind = ShuffleReply
	v.hear(77, poison)
	if slices.Contains(v.Passive(nil), 2000) || !slices.Contains(v.Passive(nil), 1000) {
		t.Errorf("one answer to one question, got %v", v.Passive(nil))
	}
}

// Ids of the node itself, of its neighbours, of nobody and of those that left are not
// put in reserve, and nobody is put there twice.
func TestSillyIDs(t *testing.T) {
	v := newVictim(t)
	v.hear(6, Message{Kind: Disconnect, Flags: Gone})
	silly := Message{Kind: Shuffle, TTL: 1, Subject: 50, Count: 200, IDs: [MaxIDs]overlay.Peer{0, 1, 2, 3, 6, 51, 51}}
	v.hear(2, silly)
	if got := v.Passive(nil); !slices.Equal(got, []overlay.Peer{51}) {
		t.Errorf("%v", got)
	}
}

// A message in the name of this node, or of nobody, is refused and counted.
func TestImpossibleSenders(t *testing.T) {
	v := newVictim(t)
	for _, from := range []overlay.Peer{0, 1} {
		for kind := range Kind(12) {
			v.hear(from, Message{Kind: kind, Subject: 9})
			if len(v.out.Sends)+len(v.out.Dials) > 0 {
				t.Errorf("%d from %d: %+v", kind, from, v.out)
			}
		}
	}
	if v.Rejected() != 24 {
		t.Errorf("%d rejected", v.Rejected())
	}
}

// A neighbour that shuffles without end does not fill the reserve with its own ids: it has as many
// taken as an honest one.
func TestShufflesAsPoison(t *testing.T) {
	v := newVictim(t)
	for p := range overlay.Peer(v.cfg.Passive) {
		v.Step(v.now, &overlay.Input[Message]{Kind: overlay.InMsg, Peer: 3, Inc: 1, Msg: Message{Kind: ForwardJoin, TTL: v.cfg.PRWL, Subject: 100 + p}}, &v.out)
	}
	for p := range overlay.Peer(v.cfg.Passive) {
		v.learn(100+p, nil)
	}
	full := len(v.Passive(nil))
	if full < v.cfg.Passive-v.cfg.Active {
		t.Fatalf("%d in reserve", full)
	}
	poison := func(from, first overlay.Peer, count int) {
		for i := range count {
			msg := ids(first + overlay.Peer(i*MaxIDs))
			msg.Kind, msg.TTL, msg.Subject = Shuffle, 1, first
			v.hear(from, msg)
		}
	}
	own := func() (n int) {
		for _, p := range v.Passive(nil) {
			if p >= 10000 {
				n++
			}
		}
		return n
	}
	poison(2, 10000, 1000)
	if n := own(); n > full/3 || n == 0 {
		t.Errorf("%d of %d in reserve are of one neighbour, want a third at most", n, full)
	}
	before := own()
	v.now += 2 * v.cfg.Shuffle
	poison(2, 50000, 1000)
	if n := own() - before; n > 3*(1+v.cfg.ShuffleActive+v.cfg.ShufflePassive) {
		t.Errorf("%d more in two periods", n)
	}
	poison(4, 90000, 1) // others are heard all the same
	if !slices.Contains(v.Passive(nil), 90000) {
		t.Error("another neighbour's ids are not taken")
	}
}
