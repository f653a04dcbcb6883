package wire

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/registry/index"
)

// entries are n registrations, of services of their own or all of one.
func entries(n int, apart bool, meta map[string]string) []registry.Event {
	list := make([]registry.Event, n)
	for i := range list {
		service := name.MustService("flood")
		if apart {
			service = name.MustService(fmt.Sprintf("flood%d", i))
		}
		ref := name.Ref{Node: name.MustNode("b@h"), Incarnation: 1, ID: uint64(i + 1)}
		list[i] = registry.Event{Type: registry.Registered, Entry: registry.Entry{Service: service, Ref: ref, Meta: meta}}
	}
	return list
}

// What a process showed that was too much is over with it: the next one is believed
// again, at once.
func TestAFloodOfEntriesEndsWithItsProcess(t *testing.T) {
	floods := map[string][]registry.Event{
		"many":       entries(few+1, false, map[string]string{}),
		"large":      entries(maxShownBytes/(60<<10)+1, true, map[string]string{"k": strings.Repeat("v", 60<<10)}),
		"many pairs": entries(maxShownBytes/(64*1000)+1, true, pairs(1000)),
	}
	for what, flood := range floods {
		t.Run(what, func(t *testing.T) {
			down := 0
			shown := NewShown(registry.Env{Env: plugin.Env{Node: name.MustNode("self@h")}, Emit: func(e registry.Event) {
				if e.Type == registry.EntryDown {
					down++
				}
			}})
			if what == "many" {
				shown.most = few
			}
			first, second := &Registry{}, &Registry{}
			rest := fill(shown, flood)
			if shown.adopt(first) != nil || shown.apply(first, rest) == nil {
				t.Error("more entries than there may be are no error")
			}
			shown.lost(first)
			known := shown.Stale()
			next := entries(1, true, flood[0].Entry.Meta)
			next[0].Entry.Service = name.MustService("real")
			if err := shown.adopt(second); err != nil {
				t.Fatal(err)
			}
			if err := shown.apply(second, next); err != nil {
				t.Fatalf("the next process: %v", err)
			}
			if len(shown.Lookup(next[0].Entry.Service)) != 1 || len(shown.List("")) != 1 || shown.Stale() != 0 || down != known {
				t.Errorf("%d services are shown, %d of %d entries went", len(shown.List("")), down, known)
			}
		})
	}
}

// fill shows at once as much of a flood as there is room for, and returns the rest.
func fill(shown *Shown, flood []registry.Event) (rest []registry.Event) {
	n := min(len(flood), shown.most, maxShownBytes/sizeOfEntry(flood[0].Entry))
	changes := make([]index.Change, n)
	for i := range changes {
		changes[i].Entry = flood[i].Entry
	}
	shown.index.Apply(changes...)
	shown.bytes = n * sizeOfEntry(flood[0].Entry)
	return flood[n:]
}

func pairs(n int) map[string]string {
	meta := map[string]string{}
	for i := range n {
		meta[fmt.Sprint(i)] = ""
	}
	return meta
}

// Any number of entries are taken away in a moment, also those of one service.
func TestASweepOfOneLargeService(t *testing.T) {
	shown := NewShown(registry.Env{Env: plugin.Env{Node: name.MustNode("self@h")}, Emit: func(registry.Event) {}})
	first := &Registry{}
	if err := shown.adopt(first); err != nil {
		t.Fatal(err)
	}
	flood := entries(20_000, false, map[string]string{})
	fill(shown, flood)
	shown.lost(first)
	began := time.Now()
	if n := shown.Sweep("over"); n != len(flood) || len(shown.List("")) != 0 {
		t.Errorf("%d were swept, %v are shown", n, shown.List(""))
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// Before a process has started what it tells waits, within bounds.
func TestALoudStartOfARegistryIsBounded(t *testing.T) {
	shown := NewShown(registry.Env{Emit: func(registry.Event) {}})
	if shown.apply(&Registry{}, entries(maxShownBytes/(60<<10)+1, true, map[string]string{"k": strings.Repeat("v", 60<<10)})) == nil {
		t.Error("any amount of metadata waits")
	}
}
