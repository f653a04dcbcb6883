package wire

import (
	"context"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// maxMail is how many changes wait for a slow reader before they become one.
const maxMail = 64

// mail is a queue of changed nodes between a writer that never waits and a reader that
// may be slow: when it is full all that is in it becomes "anything may have changed".
type mail struct {
	news chan struct{} // of capacity 1

	mu    sync.Mutex
	nodes []name.Node
	ended bool
}

func newMail() *mail { return &mail{news: make(chan struct{}, 1)} }

func (m *mail) put(node name.Node) {
	m.mu.Lock()
	if len(m.nodes) == maxMail {
		m.nodes = append(m.nodes[:0], name.Node{})
	} else {
		m.nodes = append(m.nodes, node)
	}
	m.mu.Unlock()
	m.ring()
}

// end says that nothing more comes.
func (m *mail) end() {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	m.ring()
}

func (m *mail) ring() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

func (m *mail) take() (nodes []name.Node, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	nodes, m.nodes = m.nodes, nil
	return nodes, m.ended
}

// deliver returns the channel from which the reader reads. It is closed when ctx ends,
// or when the mail has ended and is read; then over is called.
func (m *mail) deliver(ctx context.Context, over func()) <-chan name.Node {
	out := make(chan name.Node)
	go func() {
		defer over()
		defer close(out)
		for {
			nodes, ended := m.take()
			for _, node := range nodes {
				select {
				case out <- node:
				case <-ctx.Done():
					return
				}
			}
			if ended && len(nodes) == 0 {
				return
			}
			if len(nodes) > 0 {
				continue
			}
			select {
			case <-m.news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
