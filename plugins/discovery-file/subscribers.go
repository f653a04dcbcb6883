package discoveryfile

import (
	"context"
	"fmt"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// backlog is how many changes wait for a reader before they become "anything".
const backlog = 16

// subscribers are the channels of Watch. The zero value is closed.
type subscribers struct {
	mu   sync.Mutex
	subs map[chan name.Node]func() bool // with what stops waiting for the context
}

func (s *subscribers) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs == nil {
		s.subs = map[chan name.Node]func() bool{}
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch, forget := range s.subs {
		forget()
		close(ch)
	}
	s.subs = nil
}

func (s *subscribers) add(ctx context.Context) (<-chan name.Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs == nil {
		return nil, fmt.Errorf("discovery file: not running: %w", plugin.ErrGone)
	}
	ch := make(chan name.Node, backlog)
	s.subs[ch] = context.AfterFunc(ctx, func() { s.remove(ch) })
	return ch, nil
}

func (s *subscribers) remove(ch chan name.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.subs[ch]; ok {
		delete(s.subs, ch)
		close(ch)
	}
}

// tell never waits: a full channel is emptied and says "anything".
func (s *subscribers) tell(node name.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.subs {
		select {
		case ch <- node:
		default:
			empty(ch)
			ch <- name.Node{} // there is room: nobody else sends
		}
	}
}

func empty(ch chan name.Node) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}
