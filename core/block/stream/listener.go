package stream

import (
	"fmt"
	"net"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// maxBacklog is how many streams of all peers may wait for one listener.
const maxBacklog = 1024

// Listener takes the streams for one tag on this node. It is a net.Listener.
type Listener struct {
	streams *Streams
	tag     string
	allow   func(name.Node) bool
	once    sync.Once
	over    chan struct{}

	mu      sync.Mutex
	waiting []*Conn
	wake    chan struct{} // room for one
}

var _ net.Listener = (*Listener)(nil)

// Listen makes the listener for a tag; there is one at a time. allow says whose streams
// are taken; nil: everybody's.
func (s *Streams) Listen(tag string, allow func(name.Node) bool) (*Listener, error) {
	if err := checkTag(tag); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return nil, fmt.Errorf("listen %q: this node does not run: %w", tag, net.ErrClosed)
	case s.listeners[tag] != nil:
		return nil, fmt.Errorf("listen %q: %w", tag, ErrTagTaken)
	}
	l := &Listener{streams: s, tag: tag, allow: allow, over: make(chan struct{}), wake: make(chan struct{}, 1)}
	s.listeners[tag] = l
	return l, nil
}

// offer queues a stream, or returns the code with which it is to be reset.
func (l *Listener) offer(c *Conn) transport.CloseCode {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.over:
		return codeRefused
	default:
	}
	if len(l.waiting) >= maxBacklog {
		return codeBusy
	}
	l.waiting = append(l.waiting, c)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return transport.CloseNone
}

func (l *Listener) next() *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	if len(l.waiting) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return c
}

// Accept waits for the next stream. The error is net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) { return l.AcceptStream() }

// AcceptStream is Accept for who wants to know more than a net.Conn tells.
func (l *Listener) AcceptStream() (*Conn, error) {
	for {
		select {
		case <-l.over:
			return nil, fmt.Errorf("listener for %q: %w", l.tag, net.ErrClosed)
		case <-l.wake:
			if c := l.next(); c != nil {
				l.streams.unpend(c)
				return c, nil
			}
		}
	}
}

// Close frees the tag. Streams that wait are refused; those that were accepted go on.
func (l *Listener) Close() error {
	l.streams.mu.Lock()
	if l.streams.listeners[l.tag] == l {
		delete(l.streams.listeners, l.tag)
	}
	l.streams.mu.Unlock()
	l.shut()
	return nil
}

func (l *Listener) shut() {
	l.once.Do(func() {
		l.mu.Lock()
		close(l.over)
		left := l.waiting
		l.waiting = nil
		l.mu.Unlock()
		for _, c := range left {
			l.streams.cfg.Tasks.Go("refuse", c.refuse)
		}
	})
}

// Addr is the tag on this node.
func (l *Listener) Addr() net.Addr { return Addr{Node: l.streams.cfg.Node, Tag: l.tag} }

// Addr is one end of a stream.
type Addr struct {
	Node name.Node
	Tag  string
}

// Network is "barrel".
func (Addr) Network() string { return "barrel" }

// String is tag/node.
func (a Addr) String() string { return a.Tag + "/" + a.Node.String() }
