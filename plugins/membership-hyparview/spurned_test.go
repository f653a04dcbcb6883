package membershiphyparview

import (
	"fmt"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// crowdOf are many members as one neighbour knows them, by their numbers.
type crowdOf struct {
	several
	byID map[uint64]int
}

func newCrowd(count int) crowdOf {
	c := crowdOf{byID: map[uint64]int{}}
	for i := range count {
		a := someone(fmt.Sprint("m", i), 1)
		c.actors = append(c.actors, a)
		c.byID[idOf(a.node, a.Public())] = i
	}
	return c
}

// Peer is the number of an actor, as several gives them.
func (c crowdOf) Peer(id uint64) overlay.Peer { return overlay.Peer(c.byID[id] + 1) }

// table is the crowd as its neighbour tells it.
func (c crowdOf) table() (all []liveness.Message) {
	for at := 0; at < len(c.actors); at += 200 {
		msg := liveness.Message{Kind: liveness.Table}
		for i := at; i < min(at+200, len(c.actors)); i++ {
			msg.Entries = append(msg.Entries, liveness.Entry{Peer: overlay.Peer(i + 1), State: liveness.Alive, Inc: 1})
		}
		all = append(all, msg)
	}
	return all
}

// Members that trust refuses, and others do not, cost a signature a minute each; and one that is pinned is a member
// soon after.
func TestMembersThatTrustRefuses(t *testing.T) {
	f := newFlooded(t)
	c := newCrowd(400)
	pinned := ""
	f.mind.env.Vet = func(n name.Node, _ trust.Key) error {
		var i int
		if _, err := fmt.Sscanf(n.String(), "m%d@", &i); err == nil && i < 300 && !strings.HasPrefix(n.String(), pinned+"@") {
			return trust.ErrUntrusted
		}
		return nil
	}
	f.book.env.Vet = f.mind.env.Vet
	asked := make([]int, len(c.actors))
	compare := func() {
		for _, msg := range c.table() {
			f.input(&membership.Input{Kind: membership.Frame, Peer: f.dave.peer(), Data: liveness.Append(nil, &msg, c)})
			for _, a := range f.settle() {
				want, err := liveness.Decode(a.data, c)
				if a.kind == actSend && err == nil && want.Kind == liveness.Want {
					f.proves(c, want.Entries, asked)
				}
			}
		}
	}
	for range 10 {
		compare()
		for range 5 {
			f.second()
		}
	}
	for i, n := range asked {
		if n != 1 {
			t.Fatalf("member %d was asked for %d times in 50 s", i, n)
		}
	}
	if got := f.book.refuse.untrusted; got != 300 {
		t.Errorf("%d refused", got)
	}
	pinned = "m7"
	for range 4 {
		compare()
		for range 5 {
			f.second()
		}
	}
	if e := f.book.byNode[c.actors[7].node]; e == nil || f.lv.Member(e.peer).State != liveness.Alive {
		t.Errorf("who was pinned 20 s ago is %+v", e)
	}
}

// proves answers a WANT.
func (f *flooded) proves(c crowdOf, want []liveness.Entry, asked []int) {
	for i := range want {
		who := c.actors[want[i].Peer-1]
		asked[want[i].Peer-1]++
		body, sig := who.record(0, false)
		msg := liveness.Message{Kind: liveness.Records, Entries: []liveness.Entry{{Peer: want[i].Peer, State: liveness.Alive, Inc: 1, Proof: &liveness.Proof{Record: body, Sig: sig}}}}
		f.input(&membership.Input{Kind: membership.Frame, Peer: f.dave.peer(), Data: liveness.Append(nil, &msg, c)})
		f.settle()
	}
}
