package core_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// The usual contact list, and a table of where its nodes are.
const (
	seed1, seed2 = "seed1@10.0.0.1", "seed2@10.0.0.2"
	contacts     = "bootstrap: {contact_nodes: [" + seed1 + ", " + seed2 + "], retry: 5s}\n"
	table        = `
transport: {use: quic, quic: {listen: ":9100"}}
discovery:
  use: [static]
  static: {nodes: {"` + seed1 + `": ["10.0.0.1:9100"], "` + seed2 + `": ["10.0.0.2:9100"]}}
`
)

func named(node string) string { return fmt.Sprintf("node: {name: %q}\n", node) }

func knowEachOther(a, b *core.Node) func() bool {
	return func() bool {
		return stateAt(a, b.Name()) == membership.Alive && stateAt(b, a.Name()) == membership.Alive
	}
}

// One file goes to every node: whichever starts first is found by the other.
func TestTheSameContactListOnBothNodes(t *testing.T) {
	for _, order := range [][2]string{{seed1, seed2}, {seed2, seed1}} {
		for _, gap := range []time.Duration{0, time.Second, 20 * time.Second} {
			t.Run(fmt.Sprintf("%s first by %v", order[0], gap), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					first := w.boot(named(order[0]) + contacts + table)
					time.Sleep(gap)
					second := w.node(named(order[1]) + contacts + table)
					events := record(t, second)
					w.run(second)
					if took := since(t, "they know each other", knowEachOther(first, second)); took > time.Second {
						t.Errorf("the second joined after %v, want it at once", took)
					}
					if e := events.first("node", "joined"); e.Reason != "through "+order[0] {
						t.Errorf("told: joined %s", e.Reason)
					}
				})
			})
		}
	}
}

// A seed that starts long after those who want to join through it, and that itself
// knows nobody, is found at the next attempt.
func TestALateSeedIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		joiner := w.boot(named(seed2) + contacts + table)
		time.Sleep(20 * time.Second)
		if joiner.Members()[0].Node != joiner.Name() || len(joiner.Members()) != 1 {
			t.Fatalf("members before the seed started: %v", joiner.Members())
		}
		seed := w.boot(named(seed1) + table)
		// The round under way ends after at most 3s, the pause is 5s and up to a quarter.
		if took := since(t, "they know each other", knowEachOther(joiner, seed)); took > 10*time.Second {
			t.Errorf("the seed was found after %v, want it within a round and a pause", took)
		} else {
			t.Logf("found after %v", took)
		}
	})
}

// The same on real sockets, with all of discovery in the chain.
func TestJoinOverLoopback(t *testing.T) {
	t.Parallel()
	f := newField(t)
	const list = "bootstrap.contact_nodes=a@127.0.0.1,b@127.0.0.1"
	began := time.Now()
	b := f.start("b@127.0.0.1", list)
	a := f.start("a@127.0.0.1", list)
	eventually(t, "they know each other", knowEachOther(a, b))
	within(t, "joining", began, patience)
}
