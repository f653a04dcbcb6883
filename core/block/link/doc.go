// Package link keeps one authenticated connection to each peer that this node talks
// to. It dials through discovery, runs the handshake, asks trust, watches that the
// peer lives, and closes what nobody uses.
//
// It is not the transport, which moves bytes and knows no names, and not membership,
// which decides who should be a neighbour. Other blocks come here for three things:
// frames on the control stream (small, ordered, never blocking), streams of their
// own, and to learn which peers come and go.
//
//	links := link.New(link.Config{...})
//	links.HandleFrames(link.Membership, onFrame)   // before Start
//	links.Start(ctx)
//	links.Connect(ctx, peer, nil)                  // on demand; at once if there is a link
//	links.Send(peer, link.Membership, frame)
//
// # On the wire
//
// The first stream of a connection, opened by the dialer, carries the handshake
// (package core/machine/handshake) and becomes the control stream after it:
//
//	control frame   version 1 | channel 1 | length 4, big endian | body
//	other streams   version 1 | kind 1    | whatever that kind says
//	datagram        version 1 | kind 1    | body
//
// Nothing but the first stream is read before the handshake is done on both sides. A
// connection that is refused is closed with code refused and the reason "CODE: TEXT",
// CODE being that of the handshake, so that the dialer learns it even if the message
// that says so is lost.
//
// # What a link costs
//
// An idle end has two goroutines here: one reads the control stream, one accepts
// streams. A third comes while there are frames to write, and one for each heartbeat
// while it is handed to the transport. One goroutine of the block watches all links.
//
// # One link per pair
//
// Two nodes that dial each other at the same moment get two connections. Neither dial
// is ever cancelled because of the other; both finish, and then both ends agree on the
// winner by themselves: the higher incarnation, then the higher epoch (each dial takes
// an epoch above all it has seen of the pair), then the one that the smaller name
// dialed. New streams and frames go to the winner only, frames once those that went over
// the loser have been read. Each end says over the loser when it has no stream there any
// more (drained); then the dialer of the loser closes it, with code duplicate. Streams
// in use are waited for as long as they last. To the observer all that is one link.
//
// # A node that starts again
//
// A connection with a later life of the peer ends those with earlier ones before it counts, and so
// does the word that there is such a life (Outlived), which mostly comes before: a dead
// node that started again elsewhere looks for as long as the idle time as if it were alive.
// To the observer that is a link down, as restarted, and a new one up.
//
// # Idle links
//
// An end that has not used a link for long asks whether it may be closed. If the peer
// does not need it either it stops using it and agrees, and the first end closes it,
// unless it has begun to use it meanwhile. So nothing that is sent is ever lost to it.
// Links that membership made for a moment and has released are closed the same way, but
// soon; a user of such a link keeps it.
package link
