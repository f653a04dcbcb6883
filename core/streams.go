package core

import (
	"context"
	"fmt"

	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/core/block/stream"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The words of streams; see package core/block/stream.
type (
	// Stream is one end of a byte stream between two nodes. It is a net.Conn.
	Stream = stream.Conn
	// StreamListener takes the streams for one tag. It is a net.Listener.
	StreamListener = stream.Listener
)

// The errors of streams; test with errors.Is.
var (
	ErrBadTag        = stream.ErrBadTag
	ErrTagTaken      = stream.ErrTagTaken
	ErrStreamRefused = stream.ErrRefused
	ErrStreamDenied  = stream.ErrDenied
	ErrStreamBusy    = stream.ErrBusy
	ErrStreamReset   = stream.ErrReset
	ErrStreamLost    = stream.ErrLost
)

// OpenStream opens a byte stream to whoever listens for a tag on a node, which may be
// this one. ctx bounds the opening only. It takes no round trip: that nobody listens is
// told by the first Read, as ErrStreamRefused.
func (n *Node) OpenStream(ctx context.Context, tag string, node name.Node) (*Stream, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	return l.streams.Open(ctx, tag, node)
}

// ListenOption changes who may open streams.
type ListenOption func(*func(name.Node) bool)

// From lets only some nodes open streams; others get ErrStreamDenied. See Only.
func From(allow func(name.Node) bool) ListenOption {
	return func(set *func(name.Node) bool) { *set = allow }
}

// Listen takes the streams for a tag: 1 to 255 bytes, those that begin with "barrel:" are
// reserved. There is one listener for a tag at a time. It ends with this life of the node.
func (n *Node) Listen(tag string, opts ...ListenOption) (*StreamListener, error) {
	l, err := n.current()
	if err != nil {
		return nil, err
	}
	var allow func(name.Node) bool
	for _, opt := range opts {
		opt(&allow)
	}
	return l.streams.Listen(tag, allow)
}

// streamNetwork is what streams are lent.
type streamNetwork struct{ life *life }

func (s streamNetwork) OpenTagged(ctx context.Context, node name.Node) (stream.Stream, error) {
	opened, err := s.life.links.OpenStream(ctx, node, link.Tagged, link.InUse)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrNoConnection)
	}
	return opened, nil
}

func (l *life) onTagged(ctx context.Context, p link.Peer, s *link.Stream) {
	l.streams.Receive(ctx, p.Node, s)
}

func (l *life) addStreams() {
	l.streams = stream.New(stream.Config{
		Node: l.name, Network: streamNetwork{l}, Tasks: l.kernel.Tasks(partStream), Log: limited(l.log.With("part", partStream)),
	})
	l.links.HandleStreams(link.Tagged, link.InUse, l.onTagged)
	l.add(partStream, l.streams, partLink)
}
