package core

import (
	"context"
	"errors"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/stream"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Streams lists the byte streams.
func (c control) Streams() admin.Streams {
	open, tags := c.streams.List()
	doc := admin.Streams{Streams: make([]admin.Stream, len(open)), Tags: tags, Refused: c.streams.Refused()}
	for i, s := range open {
		doc.Streams[i] = admin.Stream{
			Node: s.Node, Tag: s.Tag, Direction: "accepted", Waiting: s.WaitsForAccept, Since: s.Since.UTC(),
			BytesRead: s.Read, BytesWritten: s.Written,
		}
		if s.Opened {
			doc.Streams[i].Direction = "opened"
		}
	}
	return doc
}

// OpenStream opens a stream.
func (c control) OpenStream(ctx context.Context, tag string, node name.Node) (admin.ByteStream, error) {
	s, err := c.streams.Open(ctx, tag, node)
	if err != nil {
		return nil, explainStream(err)
	}
	return explained{s}, nil
}

// AcceptStream takes one stream.
func (c control) AcceptStream(ctx context.Context, tag string, listening func() error) (admin.ByteStream, error) {
	l, err := c.streams.Listen(tag, nil)
	if err != nil {
		return nil, explainStream(err)
	}
	defer func() { _ = l.Close() }() // returns nil
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	if err := listening(); err != nil {
		return nil, err
	}
	s, err := l.AcceptStream()
	if err != nil {
		return nil, explainStream(err)
	}
	return explained{s}, nil
}

// explained is a stream whose errors have the kinds of the command line.
type explained struct{ *stream.Conn }

// Read reads.
func (e explained) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	return n, explainStream(err)
}

func explainStream(err error) error {
	switch {
	case errors.Is(err, stream.ErrRefused):
		return &admin.Error{Kind: admin.KindNotFound, Text: err.Error() + ": nobody listens for that tag there"}
	case errors.Is(err, stream.ErrBadTag), errors.Is(err, stream.ErrTagTaken):
		return &admin.Error{Kind: admin.KindUsage, Text: err.Error()}
	case errors.Is(err, stream.ErrDenied), errors.Is(err, stream.ErrBusy), errors.Is(err, stream.ErrReset), errors.Is(err, stream.ErrLost):
		return &admin.Error{Kind: admin.KindFailed, Text: err.Error()}
	}
	return err
}
