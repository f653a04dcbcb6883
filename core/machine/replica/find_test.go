package replica

import (
	"fmt"
	"testing"
	"time"
)

// A neighbour that searches without end takes neither the turn of others nor that of this
// node itself, and what is remembered of its searches is bounded.
func TestOneNeighbourSearchesWithoutEnd(t *testing.T) {
	m := lone(0)
	var out Effects
	now := time.Second
	asked := func(in Input) (forwarded int) {
		out.Reset()
		m.Step(now, &in, &out)
		for _, s := range out.Sends {
			if msg, err := decode(s.Data); err == nil && msg.kind == seek {
				forwarded++
			}
		}
		return forwarded
	}
	sought := func(i int, id uint64) int {
		return asked(Input{Kind: Frame, Node: node(i), Data: encode(&message{kind: seek, id: id, hops: 2, subject: fmt.Sprint("k", id)})})
	}
	for i := 1; i <= 3; i++ {
		asked(Input{Kind: PeerUp, Node: node(i)})
	}
	for id := range uint64(20_000) {
		sought(1, id+1)
		if id%1000 == 0 {
			now += time.Second // what was not answered is over
		}
	}
	if n := sought(2, 1<<40); n != 2 {
		t.Errorf("the search of another is passed on to %d, want 2", n)
	}
	for i := range openMost {
		if n := asked(Input{Kind: Find, Text: fmt.Sprint("own", i)}); n != 3 {
			t.Fatalf("search %d of this node is passed on to %d, want 3", i, n)
		}
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	if s := m.Stats(); s.Refused == 0 || s.Searches > 3000 {
		t.Errorf("%+v", s)
	}
}
