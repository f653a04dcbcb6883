package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// Errors of streams; test with errors.Is.
var (
	// ErrBadTag: a tag has 1 to 255 bytes and does not begin with "barrel:".
	ErrBadTag = errors.New("bad tag")
	// ErrTagTaken: the tag has a listener on this node.
	ErrTagTaken = errors.New("tag is taken")
	// ErrRefused: the other node has no listener for the tag.
	ErrRefused = errors.New("stream refused")
	// ErrDenied: the listener does not take streams of this node.
	ErrDenied = errors.New("stream not allowed")
	// ErrBusy: too many streams of this node wait to be accepted there, or are open.
	ErrBusy = errors.New("too many streams wait or are open")
	// ErrReset: the other end has given the stream up, or closed its reading side.
	ErrReset = errors.New("stream reset by the other end")
	// ErrLost: the link has ended under the stream.
	ErrLost = errors.New("link lost")
)

// The codes with which a stream is reset that nobody takes.
const (
	codeRefused transport.CloseCode = 0x100
	codeDenied  transport.CloseCode = 0x101
	codeBusy    transport.CloseCode = 0x102
)

const (
	maxTag     = 255
	reserved   = "barrel:"
	maxPending = 64 // streams of one peer that nobody has accepted
	// maxOpen is for the streams of one peer, those that wait included: as many as may
	// stand unread while calls and the link itself go on.
	maxOpen      = transport.UnreadStreams / 2
	preambleTime = 5 * time.Second
)

// Config is what the block works with; all fields are required.
type Config struct {
	Node    name.Node
	Network Network
	Tasks   *plugin.Tasks
	Log     *slog.Logger
}

// Network opens streams to other nodes.
type Network interface {
	// OpenTagged opens a stream, dialing on demand.
	OpenTagged(ctx context.Context, node name.Node) (Stream, error)
}

// Stream is a stream on a link.
type Stream interface {
	transport.Stream
	// StopRead tells the other end that nothing more is read. It reports false where the
	// transport cannot.
	StopRead(code transport.CloseCode) bool
	Ended() <-chan struct{} // the connection has ended
	Release()               // nothing of it is open any more
}

// Streams is the block. All methods are safe for concurrent use; it is a plugin.Part.
type Streams struct {
	cfg     Config
	refused atomic.Uint64

	mu        sync.Mutex
	stopped   bool
	listeners map[string]*Listener
	load      map[name.Node]load
	open      map[*Conn]struct{}
}

// New makes the block; it does nothing before Start.
func New(cfg Config) *Streams {
	return &Streams{cfg: cfg, stopped: true, listeners: map[string]*Listener{}, load: map[name.Node]load{}, open: map[*Conn]struct{}{}}
}

// Start lets streams be opened.
func (s *Streams) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = false
	return nil
}

// Stop closes listeners and streams, and waits.
func (s *Streams) Stop(ctx context.Context) error {
	for _, c := range s.closeAll() {
		c.abort(transport.CloseStopping)
	}
	return s.cfg.Tasks.Stop(ctx)
}

func (s *Streams) closeAll() (conns []*Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for tag, l := range s.listeners {
		delete(s.listeners, tag)
		l.shut()
	}
	for c := range s.open {
		conns = append(conns, c)
	}
	return conns
}

func checkTag(tag string) error {
	switch {
	case tag == "" || len(tag) > maxTag:
		return fmt.Errorf("tag of %d bytes, want 1 to %d: %w", len(tag), maxTag, ErrBadTag)
	case strings.HasPrefix(tag, reserved):
		return fmt.Errorf("tag %q: those that begin with %q are reserved: %w", tag, reserved, ErrBadTag)
	}
	return nil
}

// Open opens a stream to the listener for a tag on a node, over the link that there is
// or a new one; ctx bounds the opening only. It does not wait for the listener: that
// there is none is told by the first Read.
func (s *Streams) Open(ctx context.Context, tag string, node name.Node) (*Conn, error) {
	if err := checkTag(tag); err != nil {
		return nil, fmt.Errorf("stream to %s: %w", node, err)
	}
	if node == s.cfg.Node {
		return s.openHere(tag)
	}
	stream, err := s.cfg.Network.OpenTagged(ctx, node)
	if err != nil {
		return nil, err
	}
	c := s.newConn(stream, tag, node, true)
	if _, err := stream.Write(append([]byte{byte(len(tag))}, tag...)); err != nil {
		c.abort(transport.CloseNone)
		return nil, fmt.Errorf("stream to %s: %w", node, c.explain(err))
	}
	if !s.enter(c) {
		c.abort(transport.CloseStopping)
		return nil, fmt.Errorf("stream to %s: this node is stopping: %w", node, ErrLost)
	}
	return c, nil
}

func (s *Streams) enter(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.open[c] = struct{}{}
	}
	return !s.stopped
}

func (s *Streams) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// Receive takes a stream that a peer has opened. It is the handler of streams of kind
// Tagged, and returns when the stream has been closed.
func (s *Streams) Receive(ctx context.Context, node name.Node, stream Stream) {
	c, code := s.admit(node, stream)
	if c == nil {
		s.refused.Add(1)
		stream.Reset(code)
		return
	}
	defer s.count(node, 0, -1)
	defer s.unpend(c)
	select {
	case <-c.closed:
	case <-ctx.Done():
		c.abort(transport.CloseStopping)
	}
}

// admit finds the listener for a stream, or says why there is none.
func (s *Streams) admit(node name.Node, stream Stream) (*Conn, transport.CloseCode) {
	if !s.pend(node) {
		s.cfg.Log.Debug("stream refused: too many wait or are open", "node", node)
		return nil, codeBusy
	}
	c, code := s.offer(node, stream)
	if c == nil {
		s.count(node, -1, -1)
	}
	return c, code
}

func (s *Streams) offer(node name.Node, stream Stream) (*Conn, transport.CloseCode) {
	tag, err := readPreamble(stream)
	if err != nil {
		s.cfg.Log.Debug("stream refused", "node", node, "error", err)
		return nil, codeRefused
	}
	s.mu.Lock()
	l := s.listeners[tag]
	s.mu.Unlock()
	if l == nil {
		return nil, codeRefused
	}
	if l.allow != nil && !l.allow(node) {
		return nil, codeDenied
	}
	c := s.newConn(stream, tag, node, false)
	c.pending.Store(true)
	if !s.enter(c) {
		return nil, codeRefused
	}
	if code := l.offer(c); code != transport.CloseNone {
		s.leave(c)
		return nil, code
	}
	return c, transport.CloseNone
}

func readPreamble(stream Stream) (string, error) {
	if err := stream.SetReadDeadline(time.Now().Add(preambleTime)); err != nil {
		return "", err
	}
	tag, err := parsePreamble(stream)
	if err != nil {
		return "", err
	}
	return tag, stream.SetReadDeadline(time.Time{})
}

func parsePreamble(r io.Reader) (string, error) {
	var length [1]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return "", err
	}
	tag := make([]byte, length[0])
	if _, err := io.ReadFull(r, tag); err != nil {
		return "", err
	}
	return string(tag), checkTag(string(tag))
}

// load is what there is of the streams of one peer.
type load struct{ pending, open int } // those that wait are open too

// pend counts a stream that nobody has accepted yet, if there is room for it.
func (s *Streams) pend(node name.Node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.load[node]
	if l.pending >= maxPending || l.open >= maxOpen || s.stopped {
		return false
	}
	s.load[node] = load{pending: l.pending + 1, open: l.open + 1}
	return true
}

func (s *Streams) unpend(c *Conn) {
	if c.pending.Swap(false) {
		s.count(c.node, -1, 0)
	}
}

func (s *Streams) count(node name.Node, pending, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.load[node]
	l.pending += pending
	l.open += open
	if s.load[node] = l; l == (load{}) {
		delete(s.load, node)
	}
}

// Refused counts the streams that nobody took.
func (s *Streams) Refused() uint64 { return s.refused.Load() }

// Info describes an open stream.
type Info struct {
	Node           name.Node
	Tag            string
	Opened         bool // by this node
	Since          time.Time
	Read, Written  uint64 // bytes
	WaitsForAccept bool
}

// List describes the open streams, the oldest first, and the tags that have a listener.
func (s *Streams) List() (streams []Info, tags []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		streams = append(streams, Info{
			Node: c.node, Tag: c.tag, Opened: c.opened, Since: c.since,
			Read: c.read.Load(), Written: c.written.Load(), WaitsForAccept: c.pending.Load(),
		})
	}
	for tag := range s.listeners {
		tags = append(tags, tag)
	}
	slices.SortFunc(streams, func(a, b Info) int { return cmp.Or(a.Since.Compare(b.Since), a.Node.Compare(b.Node)) })
	slices.Sort(tags)
	return streams, tags
}
