package liveness

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// bench is one machine on a table: node 1 in life 5, which knows 2 to 9 in life 1 and
// has links to the first few of them.
type bench struct {
	t      *testing.T
	m      *Machine
	now    overlay.Time
	out    overlay.Effects[Message]
	events []overlay.Event
	look   func() // after each step; nil: nobody looks
}

func newBench(t *testing.T, links int, change func(*Config)) *bench {
	cfg := Defaults()
	if change != nil {
		change(&cfg)
	}
	var known []Entry
	for p := overlay.Peer(2); p <= 9; p++ {
		known = append(known, Entry{Peer: p, State: Alive, Inc: 1, Proof: &Proof{}})
	}
	b := &bench{t: t, m: New(cfg, 1, 5, 0, rand.New(rand.NewPCG(1, 1)), known)}
	for p := range overlay.Peer(links) {
		b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: p + 2, Inc: 1})
	}
	return b
}

func (b *bench) step(in overlay.Input[Message]) {
	b.t.Helper()
	b.out.Reset()
	b.m.Step(b.now, &in, &b.out)
	b.events = append(b.events, b.out.Events...)
	if b.look != nil {
		b.look()
	}
	if err := b.m.Check(); err != nil {
		b.t.Fatal(err)
	}
}

// hear hands in a message that the host found good; of nobody: a broadcast.
func (b *bench) hear(from overlay.Peer, m Message) {
	b.t.Helper()
	m.Verified = true
	for i := range m.Entries {
		m.Entries[i].Verified = true
	}
	b.step(overlay.Input[Message]{Kind: overlay.InMsg, Peer: from, Msg: m})
}

// wait lets time pass in small steps, with the counters of those who are said to live.
func (b *bench) wait(d time.Duration, living ...overlay.Peer) {
	for end := b.now + d; b.now < end; {
		b.now += 100 * millisecond
		b.step(overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Liveness, Gen: b.m.gen}})
		if b.now%(2*time.Second) == 0 && len(living) > 0 && len(b.m.links) > 0 {
			b.count(living...)
		}
	}
}

func (b *bench) count(living ...overlay.Peer) {
	var counts []Count
	for _, p := range living {
		if r := b.m.table.find(p); r != nil {
			counts = append(counts, Count{Peer: p, Count: uint32(b.now/(5*time.Second)) + 1, Tag: tag(r.inc, r.ref)})
		}
	}
	b.hear(b.m.links[0].peer, Message{Kind: Counters, Counts: counts})
}

func (b *bench) accuse(observer, subject overlay.Peer, inc uint64, ref uint32) {
	b.t.Helper()
	b.hear(overlay.Nobody, Message{Kind: Obituary, Peer: observer, Entries: []Entry{{Peer: subject, State: Suspect, Inc: inc, Ref: ref}}})
}

func (b *bench) want(p overlay.Peer, s State) {
	b.t.Helper()
	if got := b.m.Member(p); got.State != s {
		b.t.Errorf("at %v: %d is %s, want %s", b.now, p, got.State, s)
	}
}

// said counts what was said, of one kind, since the last step.
func (b *bench) said(k Kind) int {
	n := 0
	for _, s := range b.out.Sends {
		if s.Msg.Kind == k {
			n++
		}
	}
	return n
}

func (b *bench) seen(k overlay.EventKind) int {
	n := 0
	for _, e := range b.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func others() []overlay.Peer { return []overlay.Peer{2, 3, 4, 5, 6, 7, 8, 9} }
