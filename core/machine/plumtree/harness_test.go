package plumtree

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

// bench is one machine on a table: it is fed inputs, and what it says is looked at.
type bench struct {
	t   *testing.T
	m   *Machine
	now overlay.Time
	out overlay.Effects[Message]
}

func newBench(t *testing.T, cfg Config, neighbours ...overlay.Peer) *bench {
	b := &bench{t: t, m: New(cfg, 1, 1)}
	for _, p := range neighbours {
		b.up(p)
	}
	return b
}

func (b *bench) step(in overlay.Input[Message]) *overlay.Effects[Message] {
	b.t.Helper()
	b.out.Reset()
	b.m.Step(b.now, &in, &b.out)
	if err := b.m.Check(); err != nil {
		b.t.Fatal(err)
	}
	return &b.out
}

func (b *bench) up(p overlay.Peer) *overlay.Effects[Message] {
	return b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: p})
}

func (b *bench) down(p overlay.Peer) *overlay.Effects[Message] {
	return b.step(overlay.Input[Message]{Kind: overlay.InLinkDown, Peer: p})
}

func (b *bench) hear(from overlay.Peer, m Message) *overlay.Effects[Message] {
	b.t.Helper()
	return b.step(overlay.Input[Message]{Kind: overlay.InMsg, Peer: from, Msg: m})
}

func (b *bench) do(c overlay.Command) *overlay.Effects[Message] {
	return b.step(overlay.Input[Message]{Kind: overlay.InCommand, Cmd: c})
}

// wait lets time pass and fires the timer that is set.
func (b *bench) wait(d time.Duration) *overlay.Effects[Message] {
	b.now += d
	return b.step(overlay.Input[Message]{Kind: overlay.InTimer, Timer: overlay.Timer{Owner: overlay.Plumtree, Gen: b.m.gen}})
}

// said lists what was said to whom, of one kind.
func (b *bench) said(k Kind) (to []overlay.Peer) {
	for _, s := range b.out.Sends {
		if s.Msg.Kind == k {
			to = append(to, s.To)
		}
	}
	return to
}

func (b *bench) delivered() int {
	n := 0
	for _, e := range b.out.Events {
		if e.Kind == overlay.Deliver {
			n++
		}
	}
	return n
}

func message(origin, seq uint64) Message {
	return Message{Kind: Gossip, Eager: true, Round: 1, ID: ID{Origin: origin, Life: 1, Seq: seq}, Data: []byte("x")}
}

func announcing(ids ...ID) Message {
	m := Message{Kind: IHave}
	for _, id := range ids {
		m.List = append(m.List, Announce{id, 1})
	}
	return m
}
