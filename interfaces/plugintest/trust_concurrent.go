package plugintest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/trust"
)

// trustContenders is how many peers claim one name at the same time.
const trustContenders = 16

// trustConcurrent lets many keys claim one name at once, while others are asked about.
func trustConcurrent(t T, h TrustHarness) {
	b := newTrustBench(t, h)
	b.pins.Together(trustContenders)
	answers := b.contend("a@10.0.0.1")
	winners := 0
	for i, err := range answers {
		switch {
		case err == nil:
			winners++
			b.pinned("a@10.0.0.1", testKey(byte(i)))
		case h.AcceptsUnknown && !errors.Is(err, trust.ErrKeyMismatch):
			b.Errorf("loser is refused with %q, which is no %q", err, trust.ErrKeyMismatch)
		}
	}
	want := 0
	if h.AcceptsUnknown {
		want = 1
	}
	if winners != want {
		b.Errorf("%d keys accepted for one name, want %d", winners, want)
	}
}

// contend returns what each contender was told, each with a key of its own for node.
func (b *trustBench) contend(node string) []error {
	answers := make([]error, trustContenders)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = b.ask(node, testKey(byte(i)))
			own := fmt.Sprintf("n%d@10.0.0.2", i)
			if err := b.ask(own, testKey(byte(i))); b.h.AcceptsUnknown {
				b.accepted(own, err)
			}
		})
	}
	all.Wait()
	return answers
}
