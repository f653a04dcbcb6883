package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/ownerlog"
)

func lone(i int) *Machine {
	cfg := Defaults()
	cfg.Log.Self, cfg.Log.Inc, cfg.Log.Verify = node(i), 1, verify
	cfg.Log.Sign = func(m []byte) ownerlog.Signature { return sign(node(i), m) }
	return New(cfg, 0, rand.New(rand.NewPCG(1, uint64(i))))
}

// What is still under way of a transfer that was given up is not taken for an answer to
// the next, neither by who asked nor by who answers.
func TestWhatComesOfAnOldTransfer(t *testing.T) {
	from, to := lone(0), lone(1)
	var out Effects
	for i := range 2000 {
		if err := from.Write(0, ownerlog.Op{Key: fmt.Sprint("key", i), Val: strings.Repeat("x", 500)}, &out); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Second
	step := func(m *Machine, in Input) (sent []message) {
		out.Reset()
		m.Step(now, &in, &out)
		for _, s := range out.Sends {
			if msg, err := decode(s.Data); err == nil {
				sent = append(sent, msg)
			}
		}
		return sent
	}
	frame := func(i int, m message) Input { return Input{Kind: Frame, Node: node(i), Data: encode(&m)} }
	step(from, Input{Kind: PeerUp, Node: node(1)})
	step(to, Input{Kind: PeerUp, Node: node(0)})
	step(to, Input{Kind: MemberUp, Node: node(0), Inc: 1})

	ask := func() message {
		to.wantFrom(to.peers[0], node(0).String())
		return step(to, Input{Kind: Tick})[0]
	}
	first := ask()
	old := step(from, frame(1, first))
	if now += 3 * time.Second; first.kind != pull || len(old) < 3 {
		t.Fatalf("asked with %+v, %d frames came", first, len(old))
	}
	step(to, Input{Kind: Tick}) // it is given up
	second := ask()
	now += 10 * time.Millisecond
	for _, m := range append(old, message{kind: data, number: old[0].number, last: true}) {
		if said := step(to, frame(0, m)); len(said) > 0 {
			t.Fatalf("%+v is said to what is old", said[0])
		}
	}
	fresh := step(from, frame(1, second))
	for range old {
		if said := step(from, frame(1, message{kind: more, number: first.number})); len(said) > 0 {
			t.Fatalf("%d frames more for one that asks for more of what is old", len(said))
		}
	}
	for len(fresh) > 0 {
		said := step(to, frame(0, fresh[0]))
		fresh = fresh[1:]
		for _, m := range said {
			fresh = append(fresh, step(from, frame(1, m))...)
		}
	}
	if _, seq := to.store.Position(node(0).String()); seq == 0 || to.Stats().Malformed > 0 {
		t.Errorf("up to %d of the owner, %+v", seq, to.Stats())
	}
}
