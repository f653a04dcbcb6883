// Package stream gives programs byte streams between nodes: net.Conn and net.Listener,
// found by a tag instead of a port.
//
// It is not for messages, which package process carries, and it opens no connections:
// streams run over the link of the two nodes, which is made on demand and kept for as
// long as a stream is open. Streams share it, and those whose readers stand still slow
// nobody: each may have half a MiB unread, and a link has room for that many times the
// streams that may be open on it, 128 of each end, and for calls beside them. What is
// opened beyond that is refused.
//
//	listener, err := streams.Listen("acme.dump", nil)
//	conn, err := listener.Accept()
//
//	conn, err := streams.Open(ctx, "acme.dump", node) // elsewhere
//
// Closing a stream ends both directions: what was written arrives, what comes from the
// other end is not read any more, which its writer learns. CloseWrite ends one.
//
// # On the wire
//
//	stream   length 1 | tag | bytes...
//
// Opening takes no round trip: a stream that nobody takes is reset, with code 0x100 (no
// listener for the tag), 0x101 (this node may not) or 0x102 (too many wait, or are open),
// which the first read or a later write tells. A peer has 5 s to send its tag, and at most
// 128 open streams here, 64 of which nobody has accepted yet. Tags that begin with "barrel:" are reserved.
package stream
