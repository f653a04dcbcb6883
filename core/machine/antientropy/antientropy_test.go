package antientropy

import (
	"errors"
	flags "flag"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// TestMain has 500 random pairs tried, unless -rapid.checks says otherwise.
func TestMain(m *testing.M) {
	flags.Parse()
	if f := flags.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("500")
	}
	os.Exit(m.Run())
}

// shelf is a store of marks and nothing else.
type shelf struct {
	sums  Sums
	marks map[string]Mark
}

func fingerprint(m Mark) uint64 { return (m.Inc*31+m.Seq)*31 + m.Tag + uint64(len(m.Key))*7919 + 1 }

func (s *shelf) put(m Mark) {
	if old, had := s.marks[m.Key]; had {
		s.sums.Drop(s.BucketOf(m.Key), fingerprint(old))
	}
	s.marks[m.Key] = m
	s.sums.Add(s.BucketOf(m.Key), fingerprint(m))
}

func (s *shelf) Sums() *Sums { return &s.sums }

func (s *shelf) Marks(bucket uint8, into []Mark) []Mark {
	for i := int(bucket); i < 3000 && bucket < 200; i += 200 {
		if m, has := s.marks[strconv.Itoa(i)]; has {
			into = append(into, m)
		}
	}
	return into
}

func (s *shelf) Mark(key string) Mark { return s.marks[key] }

func (s *shelf) BucketOf(key string) uint8 { n, _ := strconv.Atoi(key); return uint8(n % 200) }

// pair is two machines and what is under way between them.
type pair struct {
	t        require
	now      overlay.Time
	shelves  [2]*shelf
	machines [2]*Machine
	bytes    int
	frames   []Kind
}

type require interface {
	Fatalf(format string, args ...any)
}

func names(i int) name.Node { return name.MustNode([]string{"a@h", "b@h"}[i]) }

func newPair(t require) *pair {
	p := &pair{t: t}
	for i := range 2 {
		p.shelves[i] = &shelf{marks: map[string]Mark{}}
		p.machines[i] = New(Defaults(), p.shelves[i], 0, rand.New(rand.NewPCG(1, uint64(i))))
	}
	return p
}

// handle carries messages, as many as follow from the effects, and copies what is
// missing.
func (p *pair) handle(i int, out *Effects) {
	for _, d := range out.Behind {
		for _, m := range d.Marks {
			if mine := p.shelves[i].Mark(m.Key); mine.Compare(&m) >= 0 {
				p.t.Fatalf("told to fetch %+v, has %+v", m, mine)
			}
			p.shelves[i].put(m)
		}
		var next Effects
		p.machines[i].Done(p.now, d.Peer, &next)
		p.handle(i, &next)
	}
	for _, s := range out.Sends {
		frame := Append(nil, &s.Msg)
		p.bytes += len(frame)
		p.frames = append(p.frames, s.Msg.Kind)
		msg, err := Decode(frame)
		if err != nil || len(frame) > MaxFrame {
			p.t.Fatalf("frame of %d bytes: %v", len(frame), err)
		}
		var next Effects
		p.machines[1-i].Receive(p.now, names(i), &msg, &next)
		p.handle(1-i, &next)
	}
}

func (p *pair) meet() {
	var out Effects
	p.machines[1].Up(p.now, names(0), &Effects{})
	p.machines[0].Up(p.now, names(1), &out)
	p.handle(0, &out)
}

func (p *pair) tick(d time.Duration) {
	for end := p.now + d; p.now < end; {
		p.now = min(end, max(p.now+1, min(p.machines[0].Next(), p.machines[1].Next())))
		for i := range 2 {
			var out Effects
			p.machines[i].Tick(p.now, &out)
			p.handle(i, &out)
		}
	}
}

// TestTwoBecomeEqual: whatever two stores have, they end with the later of each.
func TestTwoBecomeEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		for i := range 2 {
			for range rapid.IntRange(0, 60).Draw(t, "marks") {
				n := rapid.IntRange(0, 80).Draw(t, "key")
				p.shelves[i].put(Mark{Key: strconv.Itoa(n), Inc: uint64(rapid.IntRange(0, 2).Draw(t, "inc")), Seq: uint64(rapid.IntRange(1, 3).Draw(t, "seq"))})
			}
		}
		p.meet()
		p.tick(time.Second)
		if !reflect.DeepEqual(p.shelves[0], p.shelves[1]) {
			t.Fatalf("%v\n%v", p.shelves[0].marks, p.shelves[1].marks)
		}
		if p.machines[0].Busy() || p.machines[1].Busy() {
			t.Fatalf("a comparison does not end")
		}
	})
}

func fill(s *shelf, from, to int) {
	for i := from; i < to; i++ {
		s.put(Mark{Key: strconv.Itoa(i), Inc: 1, Seq: 1})
	}
}

// The cost follows the difference, not the store.
func TestCost(t *testing.T) {
	for what, c := range map[string]struct{ mine, most int }{
		"equal":               {3000, 2 * 14},
		"one of 3000":         {2999, 2*14 + 2100 + 400},
		"a thousand of 3000":  {2000, 2*14 + 2100 + 3000*20},
		"nothing of 3000":     {0, 2*14 + 100 + 3000*20},
		"empty and one entry": {-1, 2*14 + 200},
	} {
		p := newPair(t)
		if c.mine >= 0 {
			fill(p.shelves[0], 0, c.mine)
			fill(p.shelves[1], 0, 3000)
		} else {
			fill(p.shelves[1], 0, 1)
		}
		p.machines[0].Up(0, names(1), &Effects{})
		p.bytes = 0
		var out Effects
		p.machines[1].Up(0, names(0), &out)
		p.handle(1, &out)
		if p.bytes > c.most || p.shelves[0].sums != p.shelves[1].sums {
			t.Errorf("%s: %d bytes, at most %d; %v", what, p.bytes, c.most, p.frames)
		}
	}
}

// A peer that falls silent in the middle, or goes, does not keep others waiting.
func TestSilence(t *testing.T) {
	p := newPair(t)
	fill(p.shelves[1], 0, 5)
	m, other := p.machines[0], name.MustNode("c@h")
	hello := &Message{Kind: Hello, Root: 1, Count: 5}
	var out Effects
	m.Up(0, names(1), &out)
	m.Up(0, other, &out)
	m.Receive(0, names(1), hello, &out)
	m.Receive(0, other, hello, &out)
	if !m.Busy() || m.driving != names(1) {
		t.Fatalf("driving %v", m.driving)
	}
	out = Effects{}
	m.Tick(m.Next(), &out)
	if m.Busy() || m.Stats().Abandoned != 1 || len(out.Sends) != 1 || out.Sends[0].To != other {
		t.Errorf("busy %t, %+v, said %+v", m.Busy(), m.Stats(), out.Sends)
	}
	m.Receive(m.until, other, hello, &out)
	m.Down(m.until, other, &out)
	if m.Busy() || !slices.Equal(m.peers, []name.Node{names(1)}) {
		t.Error("a peer that is gone is still waited for")
	}
}

// FuzzDecode: no bytes crash it, and what decodes survives a round trip.
func FuzzDecode(f *testing.F) {
	sums := &[Buckets]uint64{3: 7, 255: 9}
	marks := []Mark{{"a", 1, 2, 3, 4}, {"b", 1 << 60, 1 << 50, 0, 0}}
	for _, m := range []Message{
		{Kind: Hello, Root: 5, Count: 9, Reply: true}, {Kind: Compare, Sums: sums},
		{Kind: Marks, Last: true, Set: Set{1, 2, 3, 4}, Marks: marks}, {Kind: Offer, Marks: marks},
	} {
		f.Add(Append(nil, &m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v is no ErrFrame", err)
			}
			return
		}
		second, err := Decode(Append(nil, &m))
		if err != nil || !reflect.DeepEqual(m, second) {
			t.Fatalf("%+v became %+v, %v", m, second, err)
		}
		p := newPair(t)
		fill(p.shelves[0], 0, 20)
		var out Effects
		p.machines[0].Up(0, names(1), &out)
		p.machines[0].Receive(0, names(1), &Message{Kind: Hello, Root: 1, Count: 50}, &out)
		p.machines[0].Receive(0, names(1), &m, &out)
	})
}
