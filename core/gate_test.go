package core

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// joiner is a membership of which it is known whether somebody joined.
type joiner struct {
	membership.Plugin
	asked atomic.Bool
}

func (j *joiner) Join(context.Context, name.Node) error {
	j.asked.Store(true)
	return errors.New("nobody is there")
}

// A leave that comes while a join is about to begin does not wait for it: there is none.
func TestAJoinThatIsAboutToBeginHeedsALeave(t *testing.T) {
	j := &joiner{}
	l := &life{membership: j}
	ended := make(chan error, 1)
	l.gate.mu.Lock() // here the join stands
	go func() { ended <- l.enter(t.Context(), name.MustNode("b@h")) }()
	for l.gate.joining.TryLock() {
		l.gate.joining.Unlock()
		runtime.Gosched()
	}
	for range 100 {
		runtime.Gosched()
	}
	l.left.Store(true)
	l.gate.mu.Unlock()
	if err := <-ended; !errors.Is(err, membership.ErrLeft) || j.asked.Load() {
		t.Errorf("it ended with %v; membership was asked: %v", err, j.asked.Load())
	}
}
