package admin

import (
	"context"
	"fmt"
	"sync"
)

// gate counts the requests inside, keeps more than limit out, and can be shut and
// waited for.
type gate struct {
	limit int

	mu     sync.Mutex
	inside int
	shut   bool
	empty  chan struct{} // closed when nobody is inside any more; made by close
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.shut:
		return errStopping()
	case g.inside >= g.limit:
		return &Error{Kind: KindFailed, Text: fmt.Sprintf("%d requests are open already: end some, or try later", g.inside)}
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close lets nobody in any more and waits until everybody is out.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.shut = true
	if g.inside == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty, inside := g.empty, g.inside
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d requests did not end: %w", inside, ctx.Err())
	}
}

func errStopping() error { return &Error{Kind: KindNoNode, Text: "the node is stopping"} }
